//! Given, when, then; and any history of wishes.

use proptest::{collection::vec, prelude::*};
use uuid::Uuid;

use super::*;
use crate::{display_text::DisplayText, given::given, histories, index_run::FailureCode, secret_ref::SecretRef};

fn name(text: &str) -> SshKeyName {
    SshKeyName::parse(text).expect("a name")
}

fn secret(n: u8) -> SecretRef {
    SecretRef(Uuid::from_u128(n.into()))
}

/// The half that may be seen of key number `n`.
pub(crate) fn public(n: u8) -> PublicKey {
    PublicKey {
        algorithm: Algorithm::Ed25519,
        bits: 256,
        comment: DisplayText::clean("keytrail"),
        sha256: format!("SHA256:{n}"),
        md5: format!("MD5:{n}"),
        blob: format!("AAAA{n}"),
    }
}

const INTAKE: Intake = Intake { origin: Origin::Pasted, format: Format::PpkV3, had_passphrase: true };

fn add(text: &str, n: u8) -> Command {
    Command::Add { name: name(text), public: public(n), intake: INTAKE, common: true, secret: secret(n) }
}

fn generate(text: &str, n: u8) -> Command {
    let rsa_because = Some(RsaReason::AzureDevops);
    Command::Generate { name: name(text), public: public(n), rsa_because, common: false, secret: secret(n) }
}

fn added(text: &str, n: u8) -> Event {
    Event::Added { name: name(text), public: public(n), intake: INTAKE, common: true, secret: secret(n) }
}

fn generated(text: &str, n: u8) -> Event {
    let rsa_because = Some(RsaReason::AzureDevops);
    Event::Generated { name: name(text), public: public(n), rsa_because, common: false, secret: secret(n) }
}

fn register(text: &str, n: u8) -> Command {
    let path = DisplayText::clean("/srv/keys/deploy");
    Command::Register { name: name(text), public: public(n), format: Format::OpenSsh, common: true, path }
}

fn registered(text: &str, n: u8) -> Event {
    let path = DisplayText::clean("/srv/keys/deploy");
    Event::Registered { name: name(text), public: public(n), format: Format::OpenSsh, common: true, path }
}

fn renamed(text: &str, previous: &str) -> Event {
    Event::Renamed { name: name(text), previous: name(previous) }
}

fn shared(common: bool) -> Event {
    Event::Shared { common }
}

fn repositories<C: FromIterator<RepositoryId>>(numbers: &[u8]) -> C {
    numbers.iter().map(|n| RepositoryId(Uuid::from_u128((*n).into()))).collect()
}

fn associate(numbers: &[u8]) -> Command {
    Command::Associate { repositories: repositories(numbers) }
}

fn dissociate(numbers: &[u8]) -> Command {
    Command::Dissociate { repositories: repositories(numbers) }
}

fn associated(numbers: &[u8]) -> Event {
    Event::Associated { repositories: repositories(numbers) }
}

fn dissociated(numbers: &[u8]) -> Event {
    Event::Dissociated { repositories: repositories(numbers) }
}

const NEXT: SshKeyId = SshKeyId(Uuid::from_u128(77));
const OTHER: SshKeyId = SshKeyId(Uuid::from_u128(78));

fn not_taken() -> Vec<NotTaken> {
    vec![NotTaken {
        repository: RepositoryId(Uuid::from_u128(1)),
        name: DisplayText::clean("shop"),
        code: FailureCode::SshAuthFailed,
        text: DisplayText::clean("it takes none"),
    }]
}

fn refuse(to: SshKeyId) -> Command {
    Command::RefuseRotation { to, not_taken: not_taken(), others: 3 }
}

fn refused() -> Event {
    Event::RotationRefused { to: NEXT, not_taken: not_taken(), others: 3 }
}

const BEGUN: Event = Event::RotationBegun { to: NEXT };

fn accepted(numbers: &[u8]) -> Event {
    Event::RotationAccepted { to: NEXT, repositories: repositories(numbers) }
}

fn rotated(text: &str, n: u8, numbers: &[u8]) -> Event {
    Event::Rotated { to: NEXT, name: name(text), sha256: public(n).sha256, repositories: repositories(numbers) }
}

fn retired(text: &str, n: u8) -> Event {
    Event::Retired { name: name(text), sha256: public(n).sha256 }
}

/// One of each.
pub(crate) fn one_of_each() -> Vec<Event> {
    vec![
        added("Deploy", 1),
        generated("Deploy", 1),
        registered("Deploy", 1),
        renamed("Build", "Deploy"),
        shared(false),
        associated(&[1, 2]),
        dissociated(&[1]),
        BEGUN,
        refused(),
        Event::RotationCancelled {},
        accepted(&[2]),
        rotated("Build", 1, &[2]),
        retired("Build", 1),
    ]
}

#[test]
fn a_key_is_added_generated_or_registered_once() {
    given::<SshKey>(&[]).when(add("Deploy", 1)).then(&[added("Deploy", 1)]);
    given::<SshKey>(&[]).when(generate("Deploy", 1)).then(&[generated("Deploy", 1)]);
    given::<SshKey>(&[]).when(register("Deploy", 1)).then(&[registered("Deploy", 1)]);
    for wish in [add("Other", 2), generate("Other", 2), register("Other", 2)] {
        given::<SshKey>(&[added("Deploy", 1)]).when(wish.clone()).then_refused("ssh_key_exists");
        given::<SshKey>(&[added("Deploy", 1), retired("Deploy", 1)]).when(wish).then_refused("ssh_key_retired");
    }
}

#[test]
fn a_key_has_its_new_name_and_frees_the_old_one() {
    let known = [added("Deploy", 1)];
    given::<SshKey>(&known).when(Command::Rename { name: name("Deploy") }).then_nothing();
    given::<SshKey>(&known).when(Command::Rename { name: name("Build") }).then(&[renamed("Build", "Deploy")]);
    given::<SshKey>(&[]).when(Command::Rename { name: name("Build") }).then_refused("ssh_key_unknown");
    let gone = [added("Deploy", 1), retired("Deploy", 1)];
    given::<SshKey>(&gone).when(Command::Rename { name: name("Build") }).then_refused("ssh_key_retired");
    assert_eq!(
        SshKey::claims(&renamed("Build", "Deploy")),
        [ClaimChange::release(ClaimScope::SshKeyName, "deploy"), ClaimChange::take(ClaimScope::SshKeyName, "build")]
    );
    assert_eq!(SshKey::claims(&renamed("DEPLOY", "Deploy")), []);
}

#[test]
fn a_key_is_common_until_somebody_says_otherwise() {
    let wish = |common| Command::Share { common };
    given::<SshKey>(&[added("Deploy", 1)]).when(wish(true)).then_nothing();
    given::<SshKey>(&[added("Deploy", 1)]).when(wish(false)).then(&[shared(false)]);
    given::<SshKey>(&[added("Deploy", 1), shared(false)]).when(wish(false)).then_nothing();
    given::<SshKey>(&[added("Deploy", 1), shared(false)]).when(wish(true)).then(&[shared(true)]);
    given::<SshKey>(&[generated("Deploy", 1)]).when(wish(false)).then_nothing();
    given::<SshKey>(&[]).when(wish(true)).then_refused("ssh_key_unknown");
    given::<SshKey>(&[added("Deploy", 1), retired("Deploy", 1)]).when(wish(true)).then_refused("ssh_key_retired");
    assert_eq!(SshKey::claims(&shared(true)), []);
}

#[test]
fn a_key_is_associated_with_repositories_that_do_not_have_it_yet() {
    let known = [added("Deploy", 1), associated(&[1, 2])];
    given::<SshKey>(&known[..1]).when(associate(&[2, 1])).then(&[associated(&[1, 2])]);
    given::<SshKey>(&known).when(associate(&[2, 3])).then(&[associated(&[3])]);
    given::<SshKey>(&known).when(associate(&[1])).then_nothing();
    given::<SshKey>(&known).when(dissociate(&[2, 3])).then(&[dissociated(&[2])]);
    given::<SshKey>(&known).when(dissociate(&[3])).then_nothing();
    let one = [known[0].clone(), known[1].clone(), dissociated(&[2])];
    given::<SshKey>(&one).when(associate(&[1, 2])).then(&[associated(&[2])]);
    for wish in [associate(&[1]), dissociate(&[1])] {
        given::<SshKey>(&[]).when(wish).then_refused("ssh_key_unknown");
    }
}

#[test]
fn a_retired_key_keeps_its_repositories_until_it_is_taken_from_them() {
    let gone = [added("Deploy", 1), associated(&[1, 2]), retired("Deploy", 1)];
    given::<SshKey>(&gone).when(associate(&[3])).then_refused("ssh_key_retired");
    given::<SshKey>(&gone).when(dissociate(&[1, 3])).then(&[dissociated(&[1])]);
    let one = [gone[0].clone(), gone[1].clone(), gone[2].clone(), dissociated(&[1])];
    given::<SshKey>(&one).when(dissociate(&[1])).then_nothing();
    let [one, two] = [1, 2].map(|n| SshKey::association(RepositoryId(Uuid::from_u128(n))));
    assert_eq!(SshKey::claims(&gone[1]), [ClaimChange::Take(one.clone()), ClaimChange::Take(two)]);
    assert_eq!(SshKey::claims(&dissociated(&[1])), [ClaimChange::Release(one)]);
}

#[test]
fn a_key_that_all_repositories_take_takes_the_place_of_another() {
    let known = [added("Deploy", 1), associated(&[1, 2]), BEGUN, accepted(&[1, 2])];
    given::<SshKey>(&known[..2]).when(Command::Rotate { to: NEXT }).then(&[BEGUN]);
    for wish in [Command::Rotate { to: OTHER }, associate(&[3]), Command::Retire] {
        given::<SshKey>(&known[..3]).when(wish.clone()).then_refused("ssh_key_rotating");
        given::<SshKey>(&known).when(wish).then_refused("ssh_key_rotating");
    }
    given::<SshKey>(&known[..3]).when(dissociate(&[1])).then(&[dissociated(&[1])]);
    given::<SshKey>(&known[..3]).when(Command::FinishRotation).then_nothing();
    given::<SshKey>(&known[..3]).when(Command::AcceptRotation { to: OTHER }).then_nothing();
    given::<SshKey>(&known[..3]).when(Command::AcceptRotation { to: NEXT }).then(&[accepted(&[1, 2])]);
    // There is no way back.
    for wish in [dissociate(&[1]), Command::CancelRotation] {
        given::<SshKey>(&known).when(wish).then_refused("ssh_key_rotating");
    }
    given::<SshKey>(&known).when(refuse(NEXT)).then_nothing();
    given::<SshKey>(&known).when(Command::FinishRotation).then(&[rotated("Deploy", 1, &[1, 2])]);
    let state = |events: &[Event]| {
        let mut state = SshKey::default();
        events.iter().for_each(|event| state.evolve(event));
        state
    };
    let end = [known.to_vec(), vec![rotated("Deploy", 1, &[1, 2])]].concat();
    assert_eq!(
        [&known[..3], &known[..], &end[..]].map(|events| state(events).successor()),
        [None, Some(NEXT), Some(NEXT)]
    );
    for (wish, code) in [(Command::Rotate { to: OTHER }, "ssh_key_retired"), (associate(&[3]), "ssh_key_retired")] {
        given::<SshKey>(&end).when(wish).then_refused(code);
    }
    given::<SshKey>(&end).when(Command::Retire).then_nothing();
    given::<SshKey>(&[]).when(Command::Rotate { to: NEXT }).then_refused("ssh_key_unknown");
}

#[test]
fn a_rotation_that_is_refused_or_stopped_leaves_everything_as_it_was() {
    let known = [added("Deploy", 1), associated(&[1]), BEGUN];
    given::<SshKey>(&known).when(refuse(OTHER)).then_nothing();
    given::<SshKey>(&known).when(refuse(NEXT)).then(&[refused()]);
    given::<SshKey>(&known).when(Command::CancelRotation).then(&[Event::RotationCancelled {}]);
    for end in [refused(), Event::RotationCancelled {}] {
        let ended = [known.to_vec(), vec![end]].concat();
        for late in [Command::AcceptRotation { to: NEXT }, refuse(NEXT), Command::CancelRotation] {
            given::<SshKey>(&ended).when(late).then_nothing();
        }
        given::<SshKey>(&ended).when(Command::Retire).then(&[retired("Deploy", 1)]);
        given::<SshKey>(&ended).when(Command::Rotate { to: NEXT }).then(&[BEGUN]);
    }
}

#[test]
fn an_associated_repository_is_somebodys_all_along_a_rotation() {
    let one = RepositoryId(Uuid::from_u128(1));
    let (old, between) = (SshKey::association(one), SshKey::rotated_association(one));
    assert_eq!(SshKey::claims(&accepted(&[1])), [ClaimChange::Release(old), ClaimChange::Take(between.clone())]);
    let freed = [
        ClaimChange::Release(between),
        ClaimChange::release(ClaimScope::SshKey, public(1).sha256),
        ClaimChange::release(ClaimScope::SshKeyName, "build"),
    ];
    assert_eq!(SshKey::claims(&rotated("Build", 1, &[1])), freed);
}

#[test]
fn a_key_that_was_stored_before_it_was_said_is_common_and_is_written_as_it_was() {
    for (word, event) in [("added", added("Deploy", 1)), ("registered", registered("Deploy", 1))] {
        let stored = serde_json::to_value(&event).expect("JSON");
        assert!(stored[word].is_object() && stored[word].get("common").is_none(), "{stored}");
        assert_eq!(serde_json::from_value::<Event>(stored).expect("an event"), event);
    }
    let stored = serde_json::to_value(generated("Deploy", 1)).expect("JSON");
    assert_eq!(stored["generated"]["common"], false);
    assert_eq!(serde_json::from_value::<Event>(stored).expect("an event"), generated("Deploy", 1));
}

#[test]
fn a_retired_key_stays_so_under_its_last_name() {
    let known = [generated("Deploy", 1), renamed("Build", "Deploy")];
    given::<SshKey>(&known).when(Command::Retire).then(&[retired("Build", 1)]);
    given::<SshKey>(&[known[0].clone(), retired("Deploy", 1)]).when(Command::Retire).then_nothing();
    given::<SshKey>(&[]).when(Command::Retire).then_refused("ssh_key_unknown");
}

#[test]
fn the_same_key_is_in_the_pool_once_and_may_come_back() {
    let held = |events: &[Event]| {
        let mut held: Vec<Claim> = Vec::new();
        for change in events.iter().flat_map(SshKey::claims) {
            match change {
                ClaimChange::Take(claim) => held.push(claim),
                ClaimChange::Release(claim) => held.retain(|other| *other != claim),
            }
        }
        held
    };
    assert_eq!(held(&[added("Deploy", 1)]), held(&[generated("DEPLOY", 1)]));
    assert_eq!(held(&[added("Deploy", 1)]), held(&[registered("Deploy", 1)]));
    assert_ne!(held(&[added("Deploy", 1)]), held(&[added("Deploy", 2)]));
    assert_eq!(held(&[added("Deploy", 1), renamed("Build", "Deploy"), retired("Build", 1)]), []);
}

#[test]
fn only_of_a_registered_key_it_is_known_where_its_file_lies() {
    let state = |events: &[Event]| {
        let mut key = SshKey::default();
        events.iter().for_each(|event| key.evolve(event));
        key
    };
    let path = |events: &[Event]| match state(events) {
        SshKey::Active { path, .. } => path.map(|path| path.as_str().to_owned()),
        SshKey::Absent | SshKey::Retired { .. } => None,
    };
    let events = [registered("Deploy", 1), renamed("Build", "Deploy")];
    assert_eq!(path(&events).as_deref(), Some("/srv/keys/deploy"));
    assert_eq!((path(&[added("Deploy", 1)]), path(&[generated("Deploy", 1)])), (None, None));
    given::<SshKey>(&events).when(Command::Retire).then(&[retired("Build", 1)]);
}

#[test]
fn a_name_is_clean_and_not_long() {
    assert_eq!(name(" a\nb ").as_str(), "a b");
    for bad in ["", " \t", &"x".repeat(101)] {
        assert_eq!(SshKeyName::parse(bad), Err(BadName), "{bad:?}");
    }
}

#[test]
fn refusals_differ() {
    histories::refusals_differ(&[Error::AlreadyAdded, Error::Unknown, Error::Retired, Error::Rotating]);
}

#[test]
fn every_word_is_stored_as_it_is_said() {
    let stored = |word: serde_json::Result<serde_json::Value>| word.expect("a word");
    Algorithm::ALL.iter().for_each(|word| assert_eq!(stored(serde_json::to_value(word)), word.as_str()));
    Format::ALL.iter().for_each(|word| assert_eq!(stored(serde_json::to_value(word)), word.as_str()));
    Origin::ALL.iter().for_each(|word| assert_eq!(stored(serde_json::to_value(word)), word.as_str()));
    RsaReason::ALL.iter().for_each(|word| assert_eq!(stored(serde_json::to_value(word)), word.as_str()));
}

fn any_wish() -> impl Strategy<Value = Command> {
    let names = || prop::sample::select(vec!["Deploy", "deploy", "Build"]);
    prop_oneof![
        2 => (names(), 0..3_u8).prop_map(|(name, n)| add(name, n)),
        1 => (names(), 0..3_u8).prop_map(|(name, n)| generate(name, n)),
        1 => (names(), 0..3_u8).prop_map(|(name, n)| register(name, n)),
        3 => names().prop_map(|text| Command::Rename { name: name(text) }),
        2 => any::<bool>().prop_map(|common| Command::Share { common }),
        2 => vec(0..4_u8, 1..3).prop_map(|numbers| associate(&numbers)),
        2 => vec(0..4_u8, 1..3).prop_map(|numbers| dissociate(&numbers)),
        2 => prop::sample::select(vec![NEXT, OTHER]).prop_map(|to| Command::Rotate { to }),
        1 => prop::sample::select(vec![NEXT, OTHER]).prop_map(refuse),
        1 => prop::sample::select(vec![NEXT, OTHER]).prop_map(|to| Command::AcceptRotation { to }),
        1 => Just(Command::CancelRotation),
        1 => Just(Command::FinishRotation),
        1 => Just(Command::Retire),
    ]
}

proptest! {
    #[test]
    fn any_history_of_wishes_folds(commands in vec(any_wish(), 0..30)) {
        histories::fold::<SshKey>(commands)?;
    }
}
