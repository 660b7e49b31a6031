//! Who fetches for the server of a case: the git program, or the server's own process. Cases of fetching run by both; what
//! they expect of one and not of the other is said here, and nowhere else.

use keytrail::{
    app::App,
    config::Git,
    git::transport::{GitProgram, Verdict},
};

/// Who fetches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    GitProgram,
    InProcess,
}

impl Transport {
    /// For cases that go through both by themselves.
    pub(crate) const BOTH: [Self; 2] = [Self::GitProgram, Self::InProcess];
    /// Where no git program is.
    const NOWHERE: &str = "/nowhere/git";

    /// Settings by which a server fetches like this.
    pub(crate) fn set(self, git: &mut Git) {
        if self == Self::InProcess {
            git.program = Some(Self::NOWHERE.into());
        }
    }

    /// The same for the real program: what to add to its environment.
    pub(crate) fn environment(self) -> Vec<(String, String)> {
        let nowhere = ("KEYTRAIL__GIT__PROGRAM".to_owned(), Self::NOWHERE.to_owned());
        if self == Self::InProcess { vec![nowhere] } else { Vec::new() }
    }

    /// Demands that this server does fetch like this.
    pub(crate) fn is_used_by(self, app: &App) {
        let needed = Verdict::good_versions();
        assert_eq!(Self::of(app), self, "these tests need {needed}; found: {:?}", app.jobs.git.program);
    }

    /// How this server fetches.
    pub(crate) fn of(app: &App) -> Self {
        let is_good = app.jobs.git.program.as_ref().is_some_and(GitProgram::is_good);
        if is_good { Self::GitProgram } else { Self::InProcess }
    }

    /// What the doctor says of a copy whose server filters.
    pub(crate) const fn fills_copies(self) -> &'static str {
        match self {
            Self::GitProgram => "git_program, tree:0, ",
            Self::InProcess => "in_process, everything, ",
        }
    }

    /// Whether a copy leaves folders and files out, which are fetched when somebody looks at a commit. A copy that has all
    /// asks its server for nothing then.
    pub(crate) const fn leaves_files_out(self) -> bool {
        matches!(self, Self::GitProgram)
    }
}

/// Runs cases by each transport: `git_program::name` and `in_process::name`. With settings of the server before them, each
/// on both engines (`git_program::sqlite::name` and so on), and given the server; otherwise given the transport.
macro_rules! by_both_transports {
    (@engines $transport:ident $settings:ident $($name:ident)+) => {
        $crate::transports::by_both_transports!(@engine sqlite on_sqlite_with $transport $settings $($name)+);
        $crate::transports::by_both_transports!(@engine postgres on_postgres_with $transport $settings $($name)+);
    };
    (@engine $engine:ident $on:ident $transport:ident $settings:ident $($name:ident)+) => {
        mod $engine {
            $(#[test] fn $name() {
                let transport = $crate::transports::Transport::$transport;
                let settings = |git: &mut keytrail::config::Git| {
                    $crate::server::$settings(git);
                    $crate::transports::Transport::$transport.set(git);
                };
                $crate::server::$on(settings, move |server| {
                    transport.is_used_by(&server.app);
                    super::super::$name(server)
                });
            })+
        }
    };
    ($settings:ident; $($name:ident),+ $(,)?) => {
        mod git_program {
            $crate::transports::by_both_transports!(@engines GitProgram $settings $($name)+);
        }
        mod in_process {
            $crate::transports::by_both_transports!(@engines InProcess $settings $($name)+);
        }
    };
    ($($name:ident),+ $(,)?) => {
        mod git_program {
            $(#[tokio::test(flavor = "multi_thread")] async fn $name() {
                super::$name($crate::transports::Transport::GitProgram).await;
            })+
        }
        mod in_process {
            $(#[tokio::test(flavor = "multi_thread")] async fn $name() {
                super::$name($crate::transports::Transport::InProcess).await;
            })+
        }
    };
}
pub(crate) use by_both_transports;
