//! The doors of the web server: for each way that a server can be, the first part of a path, and what nginx does there.

use std::{fmt::Write as _, path::Path};

/// A way that a server can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// Smart HTTP, protocol 2, filters.
    Open,
    /// The same without filters.
    NoFilter,
    /// The same, as servers were before they knew protocol 2.
    Old,
    /// Open for one user with a password.
    Private,
    /// The files of the repositories, and nothing smart.
    Dumb,
    /// A redirect to [`Door::Open`] of the same scheme, host and port.
    Moved,
    /// A redirect to [`Door::Open`] of the same server under another name.
    Away,
    /// A redirect to itself.
    Loop,
    /// A redirect to a page, which is here: HTML with the status 200, as a form to sign in.
    SignIn,
    /// 403 for everybody.
    Forbidden,
    /// 429, to be tried again after 7 seconds.
    RateLimited,
    /// 500.
    Failing,
    /// 503.
    Unavailable,
}

impl Door {
    const ALL: [Self; 13] = [
        Self::Open,
        Self::NoFilter,
        Self::Old,
        Self::Private,
        Self::Dumb,
        Self::Moved,
        Self::Away,
        Self::Loop,
        Self::SignIn,
        Self::Forbidden,
        Self::RateLimited,
        Self::Failing,
        Self::Unavailable,
    ];

    /// The first part of the path.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::NoFilter => "no-filter",
            Self::Old => "old",
            Self::Private => "private",
            Self::Dumb => "dumb",
            Self::Moved => "moved",
            Self::Away => "away",
            Self::Loop => "loop",
            Self::SignIn => "sign-in",
            Self::Forbidden => "forbidden",
            Self::RateLimited => "rate-limited",
            Self::Failing => "failing",
            Self::Unavailable => "unavailable",
        }
    }
}

/// Where everything is that the configuration names.
pub(super) struct Places<'a> {
    pub(super) folder: &'a Path,
    pub(super) repositories: &'a Path,
    pub(super) backend: &'a Path,
}

/// The locations of one `server` block; the doors are the same in all.
pub(super) fn locations(places: &Places<'_>) -> String {
    let folder = places.folder.display();
    let mut out = String::new();
    for door in Door::ALL {
        let word = door.word();
        let what = match door {
            Door::Open => backend(places, "fastcgi_param GIT_CONFIG_COUNT 1;"),
            Door::NoFilter => backend(places, "fastcgi_param GIT_CONFIG_COUNT 0;"),
            // http-backend takes the wish from this variable; nginx gives the header on only when nothing else is set.
            Door::Old => backend(places, "fastcgi_param GIT_CONFIG_COUNT 1; fastcgi_param HTTP_GIT_PROTOCOL \"\";"),
            Door::Private => {
                let guard = format!("auth_basic git; auth_basic_user_file {folder}/users;");
                backend(places, "fastcgi_param GIT_CONFIG_COUNT 1;") + &guard
            }
            Door::Dumb => format!("alias {}$1;", places.repositories.display()),
            Door::Moved => "return 301 $scheme://$http_host/open$1$is_args$args;".to_owned(),
            Door::Away => "return 302 $scheme://localhost:$server_port/open$1$is_args$args;".to_owned(),
            Door::Loop => "return 302 $scheme://$http_host/loop$1/again$is_args$args;".to_owned(),
            Door::SignIn => {
                "if ($is_args) { return 302 /sign-in/form; } default_type text/html; return 200 '<h1>Sign in</h1>';"
                    .to_owned()
            }
            Door::Forbidden => "return 403;".to_owned(),
            Door::RateLimited => "add_header Retry-After 7 always; return 429;".to_owned(),
            Door::Failing => "return 500;".to_owned(),
            Door::Unavailable => "return 503;".to_owned(),
        };
        // Writing to a string cannot fail.
        let _ = writeln!(out, "location ~ ^/{word}(/.*)$ {{ {what} }}");
    }
    out
}

fn backend(places: &Places<'_>, more: &str) -> String {
    let (root, program) = (places.repositories.display(), places.backend.display());
    format!(
        "fastcgi_pass scripts;
        fastcgi_param SCRIPT_FILENAME {program};
        fastcgi_param GIT_PROJECT_ROOT {root};
        fastcgi_param GIT_HTTP_EXPORT_ALL 1;
        fastcgi_param GIT_CONFIG_NOSYSTEM 1;
        fastcgi_param GIT_CONFIG_GLOBAL /dev/null;
        fastcgi_param GIT_CONFIG_KEY_0 uploadpack.allowFilter;
        fastcgi_param GIT_CONFIG_VALUE_0 true;
        fastcgi_param PATH_INFO $1;
        fastcgi_param QUERY_STRING $query_string;
        fastcgi_param REQUEST_METHOD $request_method;
        fastcgi_param CONTENT_TYPE $content_type;
        fastcgi_param CONTENT_LENGTH $content_length;
        fastcgi_param REMOTE_USER $remote_user;
        fastcgi_param REMOTE_ADDR $remote_addr;
        {more}\n"
    )
}
