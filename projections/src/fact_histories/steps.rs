//! What a random history is made of: steps that are wished, and carried out as the aggregates decide.

use std::collections::BTreeMap;

use keytrail_domain::{
    github::{App, GithubConnection, GithubHost, KeyFingerprint, Login},
    id::SshKeyId,
    installation::{Account, Cause as Obstacle, Diagnosis, Key, Report, Seen, Selection, Suspension, There},
    secret_ref::SecretRef,
    ssh_key::{Format, Intake, Origin, RsaReason},
    web_links::WebLinks,
};

use super::*;

/// What may be done next, over a few things of each kind so that histories meet.
#[derive(Clone, Debug)]
enum Step {
    Integration(u64, integration::Command),
    Repository(u64, repository::Command),
    Run(u64, index_run::Command),
    Token(u64, access::Command),
    Installation(u64, installation::Command),
    Forget(u64),
    Key(u64, ssh_key::Command),
    HostKey(u64, host_key::Command),
    /// Of a number of a repository.
    Pull(u64, u64, pull_request::Command),
    /// Of a repository in a run: commits, under the present or a stale number.
    Commits(u64, u64, bool, Vec<(u8, usize)>),
    /// Of a repository in a run: refs with where they point, 0 for nowhere.
    Refs(u64, u64, Vec<(usize, u8)>),
    /// Of a repository in a run: commits that no ref leads to any more, or again.
    Stand(u64, u64, bool, Vec<u8>),
    Rules(project_rules::Command),
    /// Of a commit of a repository.
    Link(u64, u8, commit_link::Command),
    /// A fact so far is said again, whether its aggregate would or not.
    Again(usize),
}

const SUBJECTS: &[&str] = &["ALPHA-1 begin", "ALPHA-1 and BETA-2", "BETA-2 fix", "ALPHA-3", "no key", "UTF-8 BETA-2"];
const REFS: &[&str] = &[
    "refs/heads/ALPHA-1",
    "refs/heads/beta-2-and-alpha-1",
    "refs/heads/main",
    "refs/heads/é-BETA-2",
    "refs/tags/ALPHA-1",
];

const PROJECTS: &[&str] = &["ALPHA", "BETA", "UTF", "GAMMA"];
const DENIED: &[&str] = &["UTF", "BETA", "ALPHA-1", "SHA"];

fn github() -> Connection {
    let organisation = Login::parse("octo").expect("a name");
    Connection::GithubApp(Box::new(GithubConnection::of(GithubHost::cloud(), organisation)))
}

fn steps() -> impl Strategy<Value = Step> {
    let integration = prop_oneof![
        (0..3_u64, 0..3_u64).prop_map(|(n, at)| integration::Command::Add {
            name: name(&format!("Service {n}")),
            connection: if at == 2 { github() } else { place(at) },
            web_links: None,
        }),
        (0..3_u64).prop_map(|n| integration::Command::Rename { name: name(&format!("Renamed {n}")) }),
        (0..3_u64).prop_map(|at| integration::Command::ChangeConnection { connection: place(at) }),
        Just(integration::Command::SetWebLinks { web_links: WebLinks::Off }),
        Just(integration::Command::Pause),
        Just(integration::Command::Resume),
        Just(integration::Command::Reindex),
        Just(integration::Command::Reset),
        (1..40_i64).prop_map(|asked| integration::Command::CancelIndexing { asked }),
        Just(integration::Command::Remove { mirrors: integration::MirrorsAfter::Deleted, secrets: Default::default() }),
    ];
    let repository = prop_oneof![
        3 => (0..3_u64, 0..3_u64).prop_map(|(of, n)| repository::Command::Discover {
            integration: IntegrationId(id(1, of)),
            name: DisplayText::clean(&format!("repository {n}")),
            location: place(n),
        }),
        1 => Just(repository::Command::Forget),
    ];
    let cause = prop_oneof![Just(Cause::Discovered), Just(Cause::Asked), Just(Cause::Reset)];
    let run = prop_oneof![
        3 => (0..3_u64, cause).prop_map(|(of, cause)| index_run::Command::Request { repository: RepositoryId(id(2, of)), cause }),
        2 => (1..9_i64).prop_map(|number| index_run::Command::Start { number }),
        2 => (0..50_u64).prop_map(|commits| index_run::Command::Complete {
            counts: Counts { commits, keyed: commits / 2, ..Counts::default() }
        }),
        1 => Just(index_run::Command::Fail { code: FailureCode::Denied, text: DisplayText::clean("may not read it") }),
        1 => Just(index_run::Command::Cancel),
    ];
    let app = |id| App {
        id,
        slug: DisplayText::clean("keytrail"),
        name: DisplayText::clean("Keytrail"),
        html_url: DisplayText::clean("https://github.com/apps/keytrail"),
        owner: None,
        owner_id: None,
        permissions: BTreeMap::new(),
        events: Vec::new(),
    };
    let key = || Key { secret: SecretRef(id(8, 1)), fingerprint: KeyFingerprint::new("f".to_owned()) };
    let seen = |installation| {
        There::Installed(Seen {
            installation,
            account: Account { host: "github.com".to_owned(), id: 4, login: Login::parse("octo").expect("a name") },
            selection: Selection::All,
            permissions: BTreeMap::new(),
            suspended: (installation % 2 == 0).then_some(Suspension { by: None, since: None }),
        })
    };
    let installation = prop_oneof![
        Just(installation::Command::Adopt {
            host: "github.com".to_owned(),
            app: app(7),
            key: key(),
            webhook_secret: None
        }),
        (100..103_u64)
            .prop_map(move |number| installation::Command::Report(Report::Read { app: app(7), there: seen(number) })),
        Just(installation::Command::Report(Report::AppDeleted)),
        Just(installation::Command::Suspend),
        any::<bool>().prop_map(|stuck| installation::Command::Diagnose(Diagnosis::of(Obstacle::NotInstalled, stuck))),
        any::<bool>().prop_map(|keep| installation::Command::Remove { uninstalled: false, keep, app: None }),
    ];
    let token = prop_oneof![
        (1..9_i64).prop_map(|n| access::Command::IssueToken {
            name: DisplayText::clean("laptop"),
            role: Role::Auditor,
            scopes: (n % 2 == 0).then(|| Scopes::of([Scope::IssuesRead, Scope::EventsRead])).flatten(),
            expires_at: Timestamp::from_seconds(1000 + n),
            prefix: format!("kt_{n}"),
        }),
        Just(access::Command::RevokeToken),
    ];
    let keys = || prop::sample::select(vec!["Deploy", "deploy", "Build"]).prop_map(key_name);
    let ssh_key = prop_oneof![
        (keys(), 0..3_u64, any::<bool>()).prop_map(|(name, n, pasted)| ssh_key::Command::Add {
            name,
            public: public_key(n),
            intake: Intake {
                origin: if pasted { Origin::Pasted } else { Origin::File },
                format: Format::Pkcs8,
                had_passphrase: pasted
            },
            common: pasted,
            secret: sealed(n),
        }),
        (keys(), 0..3_u64).prop_map(|(name, n)| ssh_key::Command::Generate {
            name,
            public: public_key(n),
            rsa_because: (n == 1).then_some(RsaReason::AwsCodecommit),
            common: n != 1,
            secret: sealed(n),
        }),
        (keys(), 0..3_u64).prop_map(|(name, n)| ssh_key::Command::Register {
            name,
            public: public_key(n),
            format: Format::OpenSsh,
            common: n != 2,
            path: DisplayText::clean("/srv/keys/deploy"),
        }),
        keys().prop_map(|name| ssh_key::Command::Rename { name }),
        any::<bool>().prop_map(|common| ssh_key::Command::Share { common }),
        (0..3_u64).prop_map(|n| ssh_key::Command::Associate { repositories: [RepositoryId(id(2, n))].into() }),
        (0..3_u64).prop_map(|n| ssh_key::Command::Dissociate { repositories: [RepositoryId(id(2, n))].into() }),
        (0..3_u64).prop_map(|n| ssh_key::Command::Rotate { to: SshKeyId(id(6, n)) }),
        (0..3_u64).prop_map(|n| ssh_key::Command::AcceptRotation { to: SshKeyId(id(6, n)) }),
        Just(ssh_key::Command::CancelRotation),
        Just(ssh_key::Command::FinishRotation),
        Just(ssh_key::Command::Retire),
    ];
    let shown = (prop::sample::select(vec!["ssh-rsa", "ssh-ed25519"]), 0..3_u8);
    let shown = prop::collection::vec(shown.prop_map(|(kind, n)| host_key(kind, n)), 1..3);
    let of_host = (0..3_u64, shown, 0..9_u8).prop_map(|(n, keys, wish)| {
        let Endpoint { host, port } = endpoint(n);
        let command = match wish {
            0..=1 => host_key::Command::Trust { host, port, keys, how: host_key::How::Person },
            2..=5 => host_key::Command::ReportOffered { host, port, keys },
            6 => host_key::Command::AcceptChanged { fingerprints: keys.iter().map(HostPublicKey::sha256).collect() },
            7 => host_key::Command::RefuseChanged,
            _ => host_key::Command::Forget,
        };
        Step::HostKey(n, command)
    });
    let rules = (prop::collection::btree_set(0..4_usize, 0..3), prop::collection::btree_set(0..4_usize, 0..3));
    let rules = rules.prop_map(|(known, denied)| project_rules::Command::Set {
        known: known.into_iter().map(|n| PROJECTS[n].parse().expect("a project")).collect(),
        denied: denied.into_iter().map(|n| DENIED[n].parse().expect("it can be denied")).collect(),
    });
    prop_oneof![
        2 => (0..3_u64, integration).prop_map(|(n, command)| Step::Integration(n, command)),
        3 => (0..3_u64, repository).prop_map(|(n, command)| Step::Repository(n, command)),
        4 => (0..5_u64, run).prop_map(|(n, command)| Step::Run(n, command)),
        1 => (0..2_u64, token).prop_map(|(n, command)| Step::Token(n, command)),
        1 => (0..3_u64, ssh_key).prop_map(|(n, command)| Step::Key(n, command)),
        2 => of_host,
        2 => (0..3_u64, installation).prop_map(|(n, command)| Step::Installation(n, command)),
        1 => (0..3_u64).prop_map(Step::Forget),
        3 => (0..3_u64, 0..5_u64, any::<bool>(), prop::collection::vec((0..9_u8, 0..SUBJECTS.len()), 0..4))
            .prop_map(|(of, run, stale, commits)| Step::Commits(of, run, stale, commits)),
        4 => (0..3_u64, 0..5_u64, prop::collection::vec((0..REFS.len(), 0..4_u8), 0..4))
            .prop_map(|(of, run, refs)| Step::Refs(of, run, refs)),
        3 => (0..3_u64, 0..5_u64, any::<bool>(), prop::collection::vec(0..9_u8, 0..4))
            .prop_map(|(of, run, over, commits)| Step::Stand(of, run, over, commits)),
        1 => rules.prop_map(Step::Rules),
        2 => (0..3_u64, 0..9_u8, 0..2_u64, 0..3_u8).prop_map(|(of, n, number, wish)| Step::Link(of, n, link(of, n, number, wish))),
        3 => (0..3_u64, 1..3_u64, 0..SUBJECTS.len(), 0..4_i64, 0..4_u8)
            .prop_map(|(of, n, title, second, wish)| Step::Pull(of, n, pull(of, n, SUBJECTS[title], second, wish))),
        1 => any::<prop::sample::Index>().prop_map(|index| Step::Again(index.index(1000))),
    ]
}

/// A random history of up to 60 steps.
pub(crate) fn histories() -> impl Strategy<Value = Log> {
    prop::collection::vec(steps(), 1..60).prop_map(|steps| {
        let mut log = Log::default();
        steps.into_iter().for_each(|step| log.take(step));
        log
    })
}

impl Log {
    fn take(&mut self, step: Step) {
        match step {
            Step::Integration(n, command) => self.decide::<integration::Integration>(
                id(1, n),
                |fact| if let Fact::Integration(event) = fact { Some(event) } else { None },
                Fact::Integration,
                command,
            ),
            Step::Installation(n, command) => self.decide::<installation::Installation>(
                id(1, n),
                |fact| if let Fact::Installation(event) = fact { Some(event) } else { None },
                Fact::Installation,
                command,
            ),
            Step::Repository(n, command) => self.decide::<repository::Repository>(
                id(2, n),
                |fact| if let Fact::Repository(event) = fact { Some(event) } else { None },
                Fact::Repository,
                command,
            ),
            Step::Run(n, command) => self.decide::<index_run::IndexRun>(
                id(3, n),
                |fact| if let Fact::IndexRun(event) = fact { Some(event) } else { None },
                Fact::IndexRun,
                command,
            ),
            Step::Token(n, command) => self.decide::<access::Access>(
                id(4, n),
                |fact| if let Fact::Access(event) = fact { Some(event) } else { None },
                Fact::Access,
                command,
            ),
            Step::Key(n, command) => self.decide::<ssh_key::SshKey>(
                id(6, n),
                |fact| if let Fact::SshKey(event) = fact { Some(event) } else { None },
                Fact::SshKey,
                command,
            ),
            Step::HostKey(n, command) => self.decide::<host_key::HostKeys>(
                endpoint(n).id().0,
                |fact| if let Fact::HostKey(event) = fact { Some(event) } else { None },
                Fact::HostKey,
                command,
            ),
            Step::Rules(command) => self.decide::<project_rules::ProjectRules>(
                project_rules::ProjectRules::ID,
                |fact| if let Fact::ProjectRules(event) = fact { Some(event) } else { None },
                Fact::ProjectRules,
                command,
            ),
            Step::Pull(of, n, command) => self.pull(of, n, command),
            Step::Link(of, n, command) => self.link(of, n, command),
            Step::Forget(n) => self.decide::<person::Person>(
                id(9, n),
                |fact| if let Fact::Person(event) = fact { Some(event) } else { None },
                Fact::Person,
                person::Command::Forget,
            ),
            Step::Commits(of, run, stale, found) => {
                let repository = id(2, of);
                let number = if stale { 1 } else { self.number(repository) };
                let found = found.into_iter().map(|(n, subject)| commit(n, SUBJECTS[subject])).collect();
                self.append(id(3, run), commits(repository, number, self.facts.len() as u64, found));
            }
            Step::Refs(of, run, moved) => {
                let repository = id(2, of);
                let moved: Vec<_> = moved.iter().map(|(name, to)| (REFS[*name], (*to > 0).then(|| sha(*to)))).collect();
                let fact = refs(repository, self.number(repository), &moved);
                self.append(id(3, run), fact);
            }
            Step::Stand(of, run, over, commits) => {
                let repository = RepositoryId(id(2, of));
                let commits = commits.into_iter().map(sha).collect();
                let set = CommitSet { repository, number: self.number(repository.0), commits };
                let event = if over { batch::Event::CommitsSuperseded } else { batch::Event::CommitsRestored };
                self.append(id(3, run), Fact::IndexBatch(event(set)));
            }
            Step::Again(index) => {
                if let Some(fact) = self.facts.get(index % self.facts.len().max(1)).cloned() {
                    self.append(fact.stream.id, fact.fact);
                }
            }
        }
    }
}
