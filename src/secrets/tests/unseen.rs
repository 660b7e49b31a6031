//! What must not be printed cannot be.

use crate::secrets::{HttpLogin, KeyedHash, NewToken, PeopleKey, RootKey, Secret, ServerSecrets, Vault};

/// Compiles only while `$type` does not have `$trait`: with it, two implementations of `Only` would fit.
macro_rules! never {
    ($($type:ty: $trait:path;)*) => {$(
        const _: () = {
            struct Has;
            trait Only<Marker> {
                fn holds() {}
            }
            impl<T: ?Sized> Only<()> for T {}
            impl<T: ?Sized + $trait> Only<Has> for T {}
            let _ = <$type as Only<_>>::holds;
        };
    )*};
}

never! {
    Secret<String>: std::fmt::Debug;
    Secret<String>: std::fmt::Display;
    Secret<String>: serde::Serialize;
    Secret<String>: Clone;
    Secret<Vec<u8>>: std::fmt::Debug;
    Secret<Vec<u8>>: serde::Serialize;
    Secret<[u8; 32]>: std::fmt::Debug;
    Secret<[u8; 32]>: Copy;
    RootKey: std::fmt::Debug;
    KeyedHash: std::fmt::Debug;
    PeopleKey: std::fmt::Debug;
    ServerSecrets: std::fmt::Debug;
    NewToken: std::fmt::Debug;
    HttpLogin: std::fmt::Debug;
    HttpLogin: serde::Serialize;
    Vault: std::fmt::Debug;
}

#[test]
fn a_secret_is_cleared_when_it_goes() {
    use std::sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    };
    struct Watched(Arc<AtomicBool>);
    impl zeroize::Zeroize for Watched {
        fn zeroize(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let cleared = Arc::new(AtomicBool::new(false));
    let secret = Secret::new(Watched(cleared.clone()));
    assert!(!secret.expose().0.load(Ordering::Relaxed));
    drop(secret);
    assert!(cleared.load(Ordering::Relaxed));
}

#[test]
fn a_secret_comes_in_with_a_request() {
    let secret: Secret<String> = serde_json::from_str("\"geheim\"").expect("a text");
    assert_eq!(secret.expose(), "geheim");
}

#[test]
fn a_keyed_hash_is_what_the_standard_says() {
    // RFC 4231, test case 1, whose key of 20 bytes HMAC fills up with zeros.
    let mut key = [0; 32];
    key[..20].fill(0x0b);
    let hash = KeyedHash::new(Secret::new(key));
    let hex: String = hash.of(b"Hi There").iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    assert!(hash.matches(b"Hi There", &hash.of(b"Hi There")));
    assert!(!hash.matches(b"Hi There", &hash.of(b"Hi there")));
    assert!(!hash.matches(b"Hi There", b""));
}
