//! What connecting takes, step by step: who has to be at it, and where GitHub explains it. The same in the API, at the
//! command line and on the page.

use serde::Serialize;
use utoipa::ToSchema;

/// A step of connecting.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = ConnectStep)]
pub(in crate::http) struct Step {
    /// In a few words.
    pub(super) title: &'static str,
    /// What happens.
    pub(super) text: &'static str,
    /// Which role it needs at GitHub.
    pub(super) role: &'static str,
    /// Where GitHub explains it.
    pub(super) link: &'static str,
}

/// A setting of the integration, as it is before anything is done at GitHub.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = ConnectSetting)]
pub(in crate::http) struct Setting {
    /// `display_name`, `filter` or `require_user_pat`.
    #[schema(example = "require_user_pat")]
    setting: &'static str,
    /// In words.
    pub(super) title: &'static str,
    /// As it is.
    pub(super) value: String,
    /// Whether nobody can change it.
    pub(super) locked: bool,
    /// What it is for, or why it cannot be changed.
    pub(super) text: &'static str,
}

/// The settings of an integration with this name and this filter.
pub(super) fn settings(name: &str, filter: Option<&str>) -> Vec<Setting> {
    let all = "all that the app sees";
    vec![
        Setting {
            setting: "display_name",
            title: "Name of the integration",
            value: name.to_owned(),
            locked: false,
            text: "What people call it here. The app at GitHub has a name of its own.",
        },
        Setting {
            setting: "filter",
            title: "Repositories",
            value: filter.unwrap_or(all).to_owned(),
            locked: false,
            text: "A JMESPath filter can leave some out, now or later. What the app sees at all is chosen at GitHub.",
        },
        Setting {
            setting: "require_user_pat",
            title: "Require user PAT",
            value: "on".to_owned(),
            locked: true,
            text: "This cannot be changed. The app's own token lists and indexes the repositories; nobody's personal \
                   access token is used for that, and none is asked for.",
        },
    ]
}

/// What nobody tells at GitHub.
pub(super) const WARNING: &str = "“Cancel” on GitHub's page that chooses repositories leads nowhere, and does not come \
     back here; neither does a closed tab or the back button. Nothing is lost by it: the app stays registered and not \
     installed, and its page here keeps a link to go on, for any browser, at any time.";

/// All of them, in order.
pub(super) const STEPS: [Step; 4] = [
    Step {
        title: "Sign in",
        text: "GitHub asks you to sign in, if you are not.",
        role: "Anybody with an account in the organisation.",
        link: "https://docs.github.com/en/authentication",
    },
    Step {
        title: "Create the app",
        text: "GitHub shows the name of the app, which you may change (at most 34 characters), and creates it in the organisation.",
        role: "An owner of the organisation, or a manager of its GitHub Apps.",
        link: "https://docs.github.com/en/organizations/managing-programmatic-access-to-your-organization/adding-and-removing-github-app-managers-in-your-organization",
    },
    Step {
        title: "Choose repositories and install",
        text: "All repositories, also those to come, or only some. A member who may not install asks an owner by the same page.",
        role: "An owner of the organisation; others can only request it.",
        link: "https://docs.github.com/en/apps/using-github-apps/installing-a-github-app-from-a-third-party",
    },
    Step {
        title: "Done",
        text: "You come back here. The repositories are listed and indexed by themselves.",
        role: "Nobody has to do anything.",
        link: "https://docs.github.com/en/apps/using-github-apps/reviewing-and-modifying-installed-github-apps",
    },
];
