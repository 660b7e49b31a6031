//! Why a text is no address of a remote repository. The sentences never repeat the text, which may hold a secret.

/// A refusal of [`RemoteUrl::parse`](super::RemoteUrl::parse).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, thiserror::Error)]
pub enum BadUrl {
    /// Nothing was given.
    #[error("the URL is empty; give the address that `git clone` takes, such as https://host/group/name.git")]
    Empty,
    /// Longer than [`RemoteUrl::MAX_BYTES`](super::RemoteUrl::MAX_BYTES).
    #[error("the URL is longer than {} bytes", super::RemoteUrl::MAX_BYTES)]
    TooLong,
    /// A control character or a blank, as it is or percent-encoded.
    #[error("the URL holds a blank or a control character; remove it, or write a blank of the path as %20")]
    ControlCharacter,
    /// A part begins with a dash, which a program could take for an option.
    #[error("the user, the host and the path of a URL must not begin with a dash")]
    LeadingDash,
    /// `ext::…`, `fd::…` or another of git's helpers, which run programs.
    #[error("addresses of the form helper::address run programs and are refused; give an https:// address")]
    RemoteHelper,
    /// A scheme that is not known.
    #[error("the URL's scheme is not supported; give an https:// address")]
    UnknownScheme,
    /// A folder of this machine or of a share.
    #[error("this is the path of a folder, not a URL; give it as a folder, or give an https:// address")]
    LocalPath,
    /// A path that begins nowhere.
    #[error("this is neither a URL nor an absolute path; give the whole address, such as https://host/group/name.git")]
    RelativePath,
    /// A quote, backtick, dollar sign, backslash, bracket or the like.
    #[error("the path of a URL must not hold quotes, brackets, `|`, `^`, `$` or backslashes")]
    UnsafeCharacter,
    /// `.` or `..` as a part of the path.
    #[error("the path of a URL must not hold `.` or `..` as a part; write the path that it leads to")]
    DotSegment,
    /// A percent sign that two hexadecimal digits do not follow, or bytes that are no UTF-8.
    #[error("a percent sign in a URL must be followed by two hexadecimal digits that stand for UTF-8 text")]
    BadPercent,
    /// A percent sign in the form `user@host:path`, where nothing is encoded.
    #[error(
        "the path of user@host:path is not percent-decoded; write the address as ssh://user@host/path, where it is"
    )]
    PercentInScpPath,
    /// It goes on after the path.
    #[error("the URL of a repository must not have a query (`?`) or a fragment (`#`)")]
    QueryOrFragment,
    /// There is no path.
    #[error("the URL names a host but no repository; add its path")]
    NoPath,
    /// There is no host, or one that no host can be called.
    #[error("the URL's host is missing or no valid name; names are letters, digits, dashes and dots")]
    BadHost,
    /// The host is not ASCII.
    #[error("the URL's host is not ASCII; write it in its ASCII form, which begins with xn--")]
    HostNotAscii,
    /// The host holds a percent sign.
    #[error("the URL's host must not be percent-encoded")]
    PercentInHost,
    /// The host looks like an IPv4 address in a form that programs read differently.
    #[error("an IPv4 address must be four decimal numbers without leading zeros, such as 192.0.2.1")]
    OddAddress,
    /// An IPv6 address with a zone.
    #[error("an IPv6 address must not name a zone (what follows its percent sign)")]
    ZoneId,
    /// The port is no number of a port.
    #[error("the URL's port must be a number from 1 to 65535")]
    BadPort,
    /// The part before `@` cannot be read, or does not belong there.
    #[error("what stands before the @ of the URL cannot be read; percent-encode special characters, or leave it out")]
    BadUser,
    /// A user or a password where none may be.
    #[error("the URL holds a user or a password; give these separately")]
    HasCredential,
}

impl BadUrl {
    /// The stable word of a refusal.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Empty => "url_empty",
            Self::TooLong => "url_too_long",
            Self::ControlCharacter => "url_control_character",
            Self::LeadingDash => "url_leading_dash",
            Self::RemoteHelper => "url_remote_helper",
            Self::UnknownScheme => "url_unknown_scheme",
            Self::LocalPath => "url_local_path",
            Self::RelativePath => "url_relative_path",
            Self::UnsafeCharacter => "url_unsafe_character",
            Self::DotSegment => "url_dot_segment",
            Self::BadPercent => "url_bad_percent",
            Self::PercentInScpPath => "url_percent_in_scp_path",
            Self::QueryOrFragment => "url_query_or_fragment",
            Self::NoPath => "url_no_path",
            Self::BadHost => "url_bad_host",
            Self::HostNotAscii => "url_host_not_ascii",
            Self::PercentInHost => "url_percent_in_host",
            Self::OddAddress => "url_odd_address",
            Self::ZoneId => "url_zone_id",
            Self::BadPort => "url_bad_port",
            Self::BadUser => "url_bad_user",
            Self::HasCredential => "url_has_credential",
        }
    }
}
