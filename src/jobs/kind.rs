//! The kinds of jobs, their stored words, and which go first. Named by whoever enqueues, does or tells of jobs.

/// The kinds of jobs; one file each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Look which repositories an integration sees.
    DiscoverRepositories,
    /// Ask for an index run.
    RequestIndex,
    /// Do an index run.
    IndexRepository,
    /// Forget the repositories of an integration.
    ForgetRepositories,
    /// Ask for an index run of each repository of an integration.
    ReindexIntegration,
    /// Reset the index of each repository of an integration.
    ResetIntegration,
    /// Cancel the runs that were asked for because of what is not wanted of an integration any more.
    CancelIndexing,
    /// Look at a repository that another node was asked to look at.
    LookNow,
    /// Drive what we wish of an app to its GitHub, and ask what became of it.
    ReconcileInstallation,
    /// List the pull requests of a repository at its git service.
    ListPullRequests,
    /// Put a key of SSH in the place of another.
    RotateSshKey,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::DiscoverRepositories,
        Self::RequestIndex,
        Self::IndexRepository,
        Self::ForgetRepositories,
        Self::ReindexIntegration,
        Self::ResetIntegration,
        Self::CancelIndexing,
        Self::LookNow,
        Self::ReconcileInstallation,
        Self::ListPullRequests,
        Self::RotateSshKey,
    ];

    /// The stored word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DiscoverRepositories => "discover_repositories",
            Self::RequestIndex => "request_index",
            Self::IndexRepository => "index_repository",
            Self::ForgetRepositories => "forget_repositories",
            Self::ReindexIntegration => "reindex_integration",
            Self::ResetIntegration => "reset_integration",
            Self::CancelIndexing => "cancel_indexing",
            Self::LookNow => "look_now",
            Self::ReconcileInstallation => "reconcile_installation",
            Self::ListPullRequests => "list_pull_requests",
            Self::RotateSshKey => "rotate_ssh_key",
        }
    }

    pub(super) fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// Short work goes before long work. A step is worth a minute of waiting: more would let a stream of short jobs keep
    /// long ones from ever being done.
    pub(super) const fn priority(self) -> i64 {
        match self {
            Self::IndexRepository | Self::ListPullRequests | Self::RotateSshKey => 0,
            Self::DiscoverRepositories
            | Self::RequestIndex
            | Self::ForgetRepositories
            | Self::ReindexIntegration
            | Self::ResetIntegration
            | Self::CancelIndexing
            | Self::LookNow
            | Self::ReconcileInstallation => 1,
        }
    }
}
