//! Every code that an answer of the API can carry; docs/errors.md explains each. A code that was ever sent keeps its
//! meaning.

macro_rules! codes {
    ($($variant:ident = $status:literal $word:literal: $title:literal),* $(,)?) => {
        /// Why a request was not carried out, for machines.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code {
            $(#[doc = $title] $variant),*
        }

        impl Code {
            /// The whole list.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The stable word.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }

            /// The HTTP status that it comes with.
            pub const fn status(self) -> u16 {
                match self { $(Self::$variant => $status),* }
            }

            /// The same sentence for every answer with this code.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title),* }
            }
        }
    };
}

codes! {
    ViewBehind = 202 "view_behind": "The view has not reached the position yet.",
    RequestInvalid = 400 "request_invalid": "The request cannot be understood.",
    BodyInvalid = 400 "body_invalid": "The body is not what this route takes.",
    ParameterInvalid = 400 "parameter_invalid": "A part of the address cannot be read.",
    QueryInvalid = 400 "query_invalid": "A query parameter is unknown or cannot be read.",
    IfMatchInvalid = 400 "if_match_invalid": "The header If-Match cannot be read.",
    IdempotencyKeyInvalid = 400 "idempotency_key_invalid": "The header Idempotency-Key cannot be used.",
    CursorInvalid = 400 "cursor_invalid": "This is no cursor of this server.",
    CursorExpired = 400 "cursor_expired": "The cursor has expired.",
    DeliveryInvalid = 400 "delivery_invalid": "The delivery does not say what it is.",
    EventIdInvalid = 400 "event_id_invalid": "This is no id of an event of this stream.",
    CursorOtherList = 400 "cursor_other_list": "The cursor belongs to another list or to other filters.",
    IssueKeyInvalid = 400 "issue_key_invalid": "This is not an issue key.",
    TokenMissing = 401 "token_missing": "An access token is needed.",
    TokenInvalid = 401 "token_invalid": "The access token is not accepted.",
    SignatureMissing = 401 "signature_missing": "The delivery is not signed.",
    SignatureInvalid = 401 "signature_invalid": "The signature of the delivery is not accepted.",
    ScopeInsufficient = 403 "scope_insufficient": "The access token was made for something else.",
    RoleInsufficient = 403 "role_insufficient": "The access token does not allow this.",
    RouteUnknown = 404 "route_unknown": "There is nothing at this address.",
    InstallationUnknown = 404 "installation_unknown": "The integration has no app.",
    IntegrationUnknown = 404 "integration_unknown": "There is no such integration.",
    RepositoryUnknown = 404 "repository_unknown": "There is no such repository.",
    CommitUnknown = 404 "commit_unknown": "The index does not know this commit.",
    ParentUnknown = 404 "parent_unknown": "The commit has no such parent.",
    PathUnchanged = 404 "path_unchanged": "The commit does not change this path.",
    PersonUnknown = 404 "person_unknown": "There is no such person.",
    OperationUnknown = 404 "operation_unknown": "There is no such operation.",
    IndexRunUnknown = 404 "index_run_unknown": "There is no such index run.",
    CommitNotLinked = 404 "commit_not_linked": "The commit is not linked to this issue.",
    TokenUnknown = 404 "token_unknown": "There is no such token.",
    SshKeyUnknown = 404 "ssh_key_unknown": "There is no such SSH key.",
    HostKeyUnknown = 404 "host_key_unknown": "Nothing is known of the keys of this server.",
    DeliveryUnknown = 404 "delivery_unknown": "There is no such delivery.",
    ViewUnknown = 404 "view_unknown": "There is no such view.",
    StreamUnknown = 404 "stream_unknown": "There is no such stream.",
    MetricsOff = 404 "metrics_off": "This server keeps no metrics.",
    MethodNotAllowed = 405 "method_not_allowed": "This address does not take this method.",
    BodyTooSlow = 408 "body_too_slow": "The body did not arrive in time.",
    IntegrationNameTaken = 409 "integration_name_taken": "Another integration has this name.",
    ConnectionTaken = 409 "connection_taken": "Another integration is connected to this place.",
    AppNotRegistered = 409 "app_not_registered": "No app is registered yet.",
    AppNotInstalled = 409 "app_not_installed": "The app is not installed.",
    PublicUrlMissing = 409 "public_url_missing": "The server does not know its own address.",
    WebhookRotationUnfinished = 409 "webhook_secret_rotation_unfinished": "The last change of the webhook secret is not finished.",
    AppDeleted = 409 "app_deleted": "The app was deleted at GitHub.",
    AppRegisteredAlready = 409 "app_registered_already": "An app is connected already.",
    KeyOfAnotherApp = 409 "app_key_of_another_app": "The key belongs to another app.",
    NothingToConfirm = 409 "nothing_to_confirm": "Nobody is asked to confirm anything.",
    NotRemoved = 409 "integration_not_removed": "The integration was not removed.",
    SecretsNotKept = 409 "secrets_not_kept": "The secrets of this app were not kept.",
    InstallationRemoved = 409 "installation_removed": "The integration of this app was removed.",
    AppTaken = 409 "app_taken": "The app belongs to another integration.",
    OrganisationTaken = 409 "organisation_taken": "Another integration has this organisation.",
    OrganisationOther = 409 "organisation_other": "The app of this integration is in another organisation.",
    IndexRunActive = 409 "index_run_active": "An index run of this repository is under way.",
    IntegrationExists = 409 "integration_exists": "The integration was added before.",
    IntegrationRemoved = 409 "integration_removed": "The integration was removed.",
    IntegrationPaused = 409 "integration_paused": "The integration is paused.",
    RepositoryForgotten = 409 "repository_forgotten": "No integration sees this repository any more.",
    RepositoryRefused = 409 "repository_refused": "This repository cannot be indexed.",
    IndexRunExists = 409 "index_run_exists": "The index run was requested before.",
    IndexRunEnded = 409 "index_run_ended": "The index run has ended.",
    OperationNotCancellable = 409 "operation_not_cancellable": "The operation cannot be stopped.",
    IndexRunNotFailed = 409 "index_run_not_failed": "The index run neither failed nor was it cancelled.",
    IndexRunNotStarted = 409 "index_run_not_started": "The index run has not started.",
    CommitAmbiguous = 409 "commit_ambiguous": "Several commits begin with these digits.",
    IssueLeftOut = 409 "issue_left_out": "The rules of projects leave this issue out.",
    SshKeyTaken = 409 "ssh_key_taken": "The pool has this key already.",
    SshKeyNameTaken = 409 "ssh_key_name_taken": "Another SSH key has this name.",
    SshKeyExists = 409 "ssh_key_exists": "The SSH key was added before.",
    SshKeyRetired = 409 "ssh_key_retired": "The SSH key was retired.",
    SshKeyInUse = 409 "ssh_key_in_use": "The SSH key is in use.",
    SshKeyAssociated = 409 "ssh_key_associated": "Another SSH key is associated with the repository.",
    SshKeyRotating = 409 "ssh_key_rotating": "Another SSH key is about to take the place of this one.",
    RepositoryNotSsh = 409 "repository_not_ssh": "The repository is not read over SSH.",
    SshKeyFolderOff = 409 "ssh_key_folder_off": "The server looks into no folder with SSH keys.",
    SshKeyFolderUnreadable = 409 "ssh_key_folder_unreadable": "The folder with SSH keys cannot be read.",
    HostKeyAlarmed = 409 "host_key_alarmed": "The SSH server shows another key, and nobody decided yet.",
    HostKeyDiffers = 409 "host_key_differs": "Another key of this kind is trusted for the SSH server.",
    HostKeyRefused = 409 "host_key_refused": "A key of the SSH server was refused.",
    HostKeyNoChange = 409 "host_key_no_change": "The SSH server shows no other key than those that are trusted.",
    HostKeyOtherFingerprints = 409 "host_key_other_fingerprints": "The SSH server shows other keys than those.",
    SshKeyscanMissing = 409 "ssh_keyscan_missing": "The server has no program to look at host keys.",
    TokenExists = 409 "token_exists": "The token was issued before.",
    ViewMoving = 409 "view_moving": "The view moved on while it was compared.",
    CommandRefused = 409 "command_refused": "This cannot be done as things are.",
    ObjectGone = 410 "object_gone": "The server of the repository no longer has this.",
    VersionStale = 412 "version_stale": "It was changed since you looked.",
    BodyTooLarge = 413 "body_too_large": "The body is too large.",
    ContentTypeUnsupported = 415 "content_type_unsupported": "The body must be JSON.",
    NameInvalid = 422 "name_invalid": "The name cannot be used.",
    PathRelative = 422 "path_relative": "The path does not begin with a slash.",
    PathInvalid = 422 "path_invalid": "The path holds what no path may hold.",
    PathNotFound = 422 "path_not_found": "There is nothing at this path.",
    PathUnreadable = 422 "path_unreadable": "The server may not read this path.",
    PathOutsideRoots = 422 "path_outside_roots": "The path is not below a folder that may be added over HTTP.",
    NotAFolder = 422 "not_a_folder": "There is no folder at this path.",
    DepthInvalid = 422 "depth_invalid": "A folder is not looked through that deep.",
    UrlInvalid = 422 "url_invalid": "The URL cannot be used.",
    UrlNotAllowed = 422 "url_not_allowed": "The URL's scheme is switched off.",
    AddressDenied = 422 "address_denied": "The server may not connect to this address.",
    CredentialInvalid = 422 "credential_invalid": "The user or the password cannot be used.",
    CredentialTwice = 422 "credential_twice": "A credential was given twice.",
    TrustInvalid = 422 "trust_invalid": "The certificate or key to trust cannot be used.",
    ProxyInvalid = 422 "proxy_invalid": "The proxy cannot be used.",
    FilterInvalid = 422 "filter_invalid": "The filter of repositories cannot be used.",
    KeyInvalid = 422 "key_invalid": "This is no private key of an app.",
    SecretInvalid = 422 "secret_invalid": "This secret cannot be used.",
    GithubRefused = 422 "github_refused": "GitHub cannot be asked, or refuses this.",
    HostInvalid = 422 "host_invalid": "This is no address of a GitHub.",
    OrganisationInvalid = 422 "organisation_invalid": "This is no name of an organisation.",
    OrganisationUnknown = 422 "organisation_unknown": "GitHub knows no such organisation.",
    RefsInvalid = 422 "refs_invalid": "The selection of refs cannot be used.",
    NotARepository = 422 "not_a_repository": "There is no git repository at this path.",
    Denied = 422 "denied": "The repository may not be read.",
    OutsideRoots = 422 "outside_roots": "A part of the repository leads out of the approved folders.",
    Sha256Unsupported = 422 "sha256_unsupported": "Repositories with SHA-256 object names cannot be indexed yet.",
    Shallow = 422 "shallow": "The repository holds only a part of its history.",
    CorruptObject = 422 "corrupt_object": "An object of the repository cannot be read.",
    MissingObject = 422 "missing_object": "A commit of the repository is missing.",
    TooManyRefs = 422 "too_many_refs": "The repository has too many branches and tags.",
    IntegrationOtherKind = 422 "integration_other_kind": "An integration keeps its kind.",
    IntegrationCredentialElsewhere = 422 "integration_credential_elsewhere": "A credential is not carried to another server.",
    IntegrationNoWebLinks = 422 "integration_no_web_links": "Links cannot be set for what this integration shows.",
    SshKeyFileUnknown = 422 "ssh_key_file_unknown": "No file has this SSH key.",
    WebLinksInvalid = 422 "web_links_invalid": "These links cannot be set.",
    ProjectInvalid = 422 "project_invalid": "This names no project.",
    ProjectRulesContradict = 422 "project_rules_contradict": "A project is known and denied at once.",
    ProjectRulesTooMany = 422 "project_rules_too_many": "There are too many projects.",
    TokenBadExpiry = 422 "token_bad_expiry": "A token expires within a year.",
    TokenBadName = 422 "token_bad_name": "A token needs a name.",
    TokenBadScopes = 422 "token_bad_scopes": "A token has scopes that its role allows.",
    SshKeyEmpty = 422 "ssh_key_empty": "There is no key in it.",
    SshKeyTwice = 422 "ssh_key_twice": "A key was given twice.",
    SshKeyTooLarge = 422 "ssh_key_too_large": "A private key is never so large.",
    SshKeyPublic = 422 "ssh_key_public": "This is the public half of a key.",
    SshKeyCertificate = 422 "ssh_key_certificate": "This is a certificate, and no private key.",
    SshKeyUnknownFormat = 422 "ssh_key_unknown_format": "This is no private key in a format that is known.",
    SshKeyBinary = 422 "ssh_key_binary": "This is the binary form of a key.",
    SshKeyFormatUnsupported = 422 "ssh_key_format_unsupported": "Keys in this format are not read.",
    SshKeyTruncated = 422 "ssh_key_truncated": "The key is cut off.",
    SshKeyDamaged = 422 "ssh_key_damaged": "The key is damaged.",
    SshKeySeveral = 422 "ssh_key_several": "There is more than one key in it.",
    SshKeyPassphraseNeeded = 422 "ssh_key_passphrase_needed": "The key has a passphrase.",
    SshKeyPassphraseWrong = 422 "ssh_key_passphrase_wrong": "The passphrase does not open the key.",
    SshKeyCipherUnsupported = 422 "ssh_key_cipher_unsupported": "The key is encrypted in a way that is not read.",
    SshKeyTooCostly = 422 "ssh_key_too_costly": "Opening the key would take too much.",
    SshKeyAlgorithmUnsupported = 422 "ssh_key_algorithm_unsupported": "Keys of this kind cannot be used.",
    SshKeyDsa = 422 "ssh_key_dsa": "DSA keys are not used any more.",
    SshKeyFido = 422 "ssh_key_fido": "The key belongs to a security key.",
    SshKeyRsaTooShort = 422 "ssh_key_rsa_too_short": "The RSA key is too short.",
    SshKeyRsaTooLong = 422 "ssh_key_rsa_too_long": "The RSA key is too long.",
    SshKeyHalvesDiffer = 422 "ssh_key_halves_differ": "The halves of the key do not belong together.",
    SshKeyFileUnusable = 422 "ssh_key_file_unusable": "The SSH key cannot be used from its file.",
    SshKeyUnusable = 422 "ssh_key_unusable": "The SSH key cannot be chosen.",
    SshKeyNotSaid = 422 "ssh_key_not_said": "It is not said which SSH keys may be offered.",
    SshKeyHostNeedsRsa = 422 "ssh_key_host_needs_rsa": "The git host takes RSA only.",
    HostKeyTooMany = 422 "host_key_too_many": "An SSH server has no more than 16 keys.",
    SshHostInvalid = 422 "ssh_host_invalid": "This is no host and port.",
    SshHostUnknown = 422 "ssh_host_unknown": "The name of the SSH server has no address.",
    SshHostUnreachable = 422 "ssh_host_unreachable": "The SSH server cannot be reached.",
    SshHostNotSsh = 422 "ssh_host_not_ssh": "What answers there shows no host key.",
    KnownHostsEmpty = 422 "known_hosts_empty": "There is no line in the known_hosts file.",
    KnownHostsTooLarge = 422 "known_hosts_too_large": "The known_hosts file is too large.",
    KnownHostsTooMany = 422 "known_hosts_too_many": "The known_hosts file has too many servers.",
    AuthorAmbiguous = 422 "author_ambiguous": "The part of a name fits too many persons.",
    StreamNotShown = 422 "stream_not_shown": "This stream is not shown event by event.",
    IdempotencyKeyReused = 422 "idempotency_key_reused": "The idempotency key was used for another request.",
    IfMatchMissing = 428 "if_match_missing": "The header If-Match is needed.",
    RateLimited = 429 "rate_limited": "Too many requests were made.",
    Internal = 500 "internal": "The server made a mistake.",
    RepositoryUnreadable = 502 "repository_unreadable": "The repository cannot be read.",
    Busy = 503 "busy": "The server has more to do than it can take.",
    FileSystemSilent = 503 "file_system_silent": "The file system of the path does not answer.",
    StoreUnavailable = 503 "store_unavailable": "The database does not answer.",
    ViewBuilding = 503 "view_building": "The view is being built.",
    ViewFaulted = 503 "view_faulted": "The view stands still after an error.",
    ViewOutdated = 503 "view_outdated": "The log holds an event of a newer version.",
    NoSpace = 507 "no_space": "There is no space left on the server's disk.",
}

impl Code {
    /// The code with this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|code| code.as_str() == word).copied()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use keytrail_domain::{
        access, aggregate::Refusal, commit_link, host_key, index_run, integration, project_rules, repository, ssh_key,
    };

    use super::*;

    #[test]
    fn every_code_has_a_word_of_its_own_and_a_status_that_exists() {
        let words: HashSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(words.len(), Code::ALL.len());
        for code in Code::ALL {
            assert!(actix_web::http::StatusCode::from_u16(code.status()).is_ok(), "{}", code.as_str());
            assert!(code.title().ends_with('.'), "{}", code.as_str());
        }
    }

    #[test]
    fn every_refusal_of_the_domain_has_a_code() {
        let refusals: Vec<&dyn Refusal> = vec![
            &integration::Error::AlreadyAdded,
            &integration::Error::Unknown,
            &integration::Error::Removed,
            &integration::Error::Paused,
            &integration::Error::OtherKind,
            &integration::Error::CredentialElsewhere,
            &repository::Error::Unknown,
            &index_run::Error::AlreadyRequested,
            &index_run::Error::Unknown,
            &index_run::Error::Ended,
            &index_run::Error::NotStarted,
            &access::Error::AlreadyIssued,
            &access::Error::Unknown,
            &access::Error::BadExpiry,
            &access::Error::BadName,
            &commit_link::Error::NotLinked,
            &project_rules::Error::Contradiction,
            &project_rules::Error::TooMany,
            &access::Error::BadScopes,
            &ssh_key::Error::AlreadyAdded,
            &ssh_key::Error::Unknown,
            &ssh_key::Error::Retired,
            &ssh_key::Error::Rotating,
            &host_key::Error::Unknown,
            &host_key::Error::Alarmed,
            &host_key::Error::Differs,
            &host_key::Error::Refused,
            &host_key::Error::NoChange,
            &host_key::Error::OtherFingerprints,
            &host_key::Error::TooMany,
        ];
        for refusal in refusals {
            assert!(Code::parse(refusal.code()).is_some(), "{}", refusal.code());
        }
    }

    #[test]
    fn the_page_of_errors_explains_every_code_and_no_other() {
        let page = include_str!("../../docs/errors.md");
        let explained: HashSet<_> = page
            .lines()
            .filter_map(|line| line.strip_prefix("| `")?.split_once("` | "))
            .map(|(word, rest)| (word, rest.split(" |").next().unwrap_or_default().to_owned()))
            .collect();
        let known: HashSet<_> = Code::ALL.iter().map(|code| (code.as_str(), code.status().to_string())).collect();
        assert_eq!(explained, known);
    }
}
