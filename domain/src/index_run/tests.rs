//! Given, when, then.

use proptest::{collection::vec, prelude::*};
use uuid::Uuid;

use super::{Cause, Command, Counts, Error, Event, FailureCode, IndexRun};
use crate::{aggregate::Aggregate as _, display_text::DisplayText, given::given, histories, id::RepositoryId};

const REPOSITORY: RepositoryId = RepositoryId(Uuid::from_u128(1));
const COUNTS: Counts = Counts { commits: 12, keyed: 7, keys: 9, refs: 3, bounded: 0, lost_refs: 0 };

fn request(cause: Cause) -> Command {
    Command::Request { repository: REPOSITORY, cause }
}

fn requested() -> Event {
    Event::Requested { repository: REPOSITORY, cause: Cause::Asked }
}

fn fail(text: &str) -> Command {
    Command::Fail { code: FailureCode::Denied, text: DisplayText::clean(text) }
}

fn failed() -> Event {
    Event::Failed { repository: REPOSITORY, code: FailureCode::Denied, text: DisplayText::clean("no") }
}

fn completed() -> Event {
    Event::Completed { repository: REPOSITORY, counts: COUNTS }
}

fn cancelled() -> Event {
    Event::Cancelled { repository: REPOSITORY }
}

fn complete() -> Command {
    Command::Complete { counts: COUNTS }
}

fn waiting() -> Vec<Event> {
    vec![requested()]
}

fn running() -> Vec<Event> {
    vec![requested(), Event::Started { number: 5 }]
}

#[test]
fn a_run_begins_with_a_request_and_its_cause() {
    for cause in [Cause::Discovered, Cause::Asked, Cause::Reset] {
        given::<IndexRun>(&[]).when(request(cause)).then(&[Event::Requested { repository: REPOSITORY, cause }]);
    }
    for wish in [Command::Start { number: 5 }, complete(), fail("no"), Command::Cancel] {
        given::<IndexRun>(&[]).when(wish).then_refused("index_run_unknown");
    }
}

#[test]
fn a_run_is_requested_once() {
    for history in [waiting(), running(), ended(completed()), ended(failed()), ended(cancelled())] {
        given::<IndexRun>(&history).when(request(Cause::Reset)).then_refused("index_run_exists");
    }
}

#[test]
fn the_first_start_counts() {
    given::<IndexRun>(&waiting()).when(Command::Start { number: 5 }).then(&[Event::Started { number: 5 }]);
    given::<IndexRun>(&running()).when(Command::Start { number: 5 }).then_nothing();
    given::<IndexRun>(&running()).when(Command::Start { number: 6 }).then_nothing();
}

#[test]
fn a_run_is_complete_only_after_it_started() {
    given::<IndexRun>(&waiting()).when(complete()).then_refused("index_run_not_started");
    given::<IndexRun>(&running()).when(complete()).then(&[completed()]);
}

#[test]
fn a_run_fails_or_is_cancelled_from_wherever_it_is() {
    for history in [waiting(), running()] {
        given::<IndexRun>(&history).when(fail("no")).then(&[failed()]);
        given::<IndexRun>(&history).when(Command::Cancel).then(&[cancelled()]);
    }
}

fn ended(end: Event) -> Vec<Event> {
    [running(), vec![end]].concat()
}

#[test]
fn a_run_ends_once() {
    let same = [(completed(), complete()), (failed(), fail("still no")), (cancelled(), Command::Cancel)];
    for (row, (end, _)) in same.iter().enumerate() {
        for (column, (_, wish)) in same.iter().enumerate() {
            let then = given::<IndexRun>(&ended(end.clone())).when(wish.clone());
            if row == column { then.then_nothing() } else { then.then_refused("index_run_ended") }
        }
        given::<IndexRun>(&ended(end.clone())).when(Command::Start { number: 5 }).then_refused("index_run_ended");
    }
    histories::refusals_differ(&[Error::AlreadyRequested, Error::Unknown, Error::Ended, Error::NotStarted]);
}

#[test]
fn a_repository_has_one_run_at_a_time_and_every_end_frees_it() {
    let take = IndexRun::claims(&requested());
    assert_eq!(take.len(), 1);
    for end in [completed(), failed(), cancelled()] {
        assert_eq!(IndexRun::claims(&end).len(), 1);
        assert_eq!(IndexRun::claims(&end)[0].claim(), take[0].claim());
    }
    assert_eq!(IndexRun::claims(&Event::Started { number: 5 }), []);
}

#[test]
fn the_stored_words_of_causes_and_failures_stay() {
    let causes = [Cause::Discovered, Cause::Asked, Cause::Reset];
    assert_eq!(serde_json::to_string(&causes).expect("words"), r#"["discovered","asked","reset"]"#);
    let codes = [
        (FailureCode::NotARepository, "not_a_repository"),
        (FailureCode::Denied, "denied"),
        (FailureCode::OutsideRoots, "outside_roots"),
        (FailureCode::Sha256Unsupported, "sha256_unsupported"),
        (FailureCode::Shallow, "shallow"),
        (FailureCode::CorruptObject, "corrupt_object"),
        (FailureCode::MissingObject, "missing_object"),
        (FailureCode::TooManyRefs, "too_many_refs"),
        (FailureCode::RepositoryForgotten, "repository_forgotten"),
        (FailureCode::HostUnknown, "host_unknown"),
        (FailureCode::ConnectionRefused, "connection_refused"),
        (FailureCode::Unreachable, "unreachable"),
        (FailureCode::ConnectionLost, "connection_lost"),
        (FailureCode::TlsUntrusted, "tls_untrusted"),
        (FailureCode::TlsExpired, "tls_expired"),
        (FailureCode::TlsWrongHost, "tls_wrong_host"),
        (FailureCode::TlsPinMismatch, "tls_pin_mismatch"),
        (FailureCode::TlsFailed, "tls_failed"),
        (FailureCode::HostKeyUnknown, "host_key_unknown"),
        (FailureCode::HostKeyChanged, "host_key_changed"),
        (FailureCode::SshAuthFailed, "ssh_auth_failed"),
        (FailureCode::SshNoKey, "ssh_no_key"),
        (FailureCode::SshKeyNotOnThisNode, "ssh_key_not_on_this_node"),
        (FailureCode::SshAlgorithms, "ssh_algorithms"),
        (FailureCode::SshProgramMissing, "ssh_program_missing"),
        (FailureCode::Unauthorized, "unauthorized"),
        (FailureCode::Forbidden, "forbidden"),
        (FailureCode::RemoteNotFound, "remote_not_found"),
        (FailureCode::RateLimited, "rate_limited"),
        (FailureCode::RemoteError, "remote_error"),
        (FailureCode::NotGit, "not_git"),
        (FailureCode::DumbServer, "dumb_server"),
        (FailureCode::RemoteSilent, "remote_silent"),
        (FailureCode::RemoteSlow, "remote_slow"),
        (FailureCode::AddressDenied, "address_denied"),
        (FailureCode::RedirectedAway, "redirected_away"),
        (FailureCode::UrlNotAllowed, "url_not_allowed"),
        (FailureCode::Protocol, "protocol"),
        (FailureCode::ProxyFailed, "proxy_failed"),
        (FailureCode::AnswerTooLarge, "answer_too_large"),
        (FailureCode::GitMissing, "git_missing"),
        (FailureCode::GitTooOld, "git_too_old"),
        (FailureCode::MirrorNeedsGit, "mirror_needs_git"),
        (FailureCode::MirrorUnusable, "mirror_unusable"),
        (FailureCode::MirrorBusy, "mirror_busy"),
        (FailureCode::DiskFloor, "disk_floor"),
        (FailureCode::QuotaExceeded, "quota_exceeded"),
        (FailureCode::CorruptPack, "corrupt_pack"),
        (FailureCode::PackNeedsMemory, "pack_needs_memory"),
        (FailureCode::FetchBrokeOff, "fetch_broke_off"),
        (FailureCode::RefsMoved, "refs_moved"),
        (FailureCode::FetchRefused, "fetch_refused"),
        (FailureCode::CredentialUnreadable, "credential_unreadable"),
        (FailureCode::FolderAbsent, "folder_absent"),
        (FailureCode::FileSystemSilent, "file_system_silent"),
        (FailureCode::InstallationHeld, "installation_held"),
        (FailureCode::Internal, "internal"),
    ];
    for (code, word) in codes {
        assert_eq!(serde_json::to_value(code).expect("a word"), word);
    }
}

/// Wishes over a few repositories, so that they meet.
pub(crate) fn any_command() -> impl Strategy<Value = Command> {
    prop_oneof![
        (1..4_u128).prop_map(|id| Command::Request {
            repository: RepositoryId(Uuid::from_u128(id)),
            cause: Cause::Discovered
        }),
        (1..9_i64).prop_map(|number| Command::Start { number }),
        Just(complete()),
        Just(fail("no")),
        Just(Command::Cancel),
    ]
}

proptest! {
    #[test]
    fn any_history_of_wishes_folds(commands in vec(any_command(), 0..40)) {
        histories::fold::<IndexRun>(commands)?;
    }
}
