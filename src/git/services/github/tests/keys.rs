//! Keys in every form that a person may hand one in, and what is none.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use keytrail_test_support::{fake_github::AppKeyPair, issuer::Signer};

use super::super::{AppKey, BadKey};

#[test]
fn every_form_of_a_key_is_the_same_key() {
    let pair = AppKeyPair::new();
    for pem in [&pair.pkcs1, &pair.pkcs8] {
        let one_line = pem.trim().replace('\n', " ");
        for (form, text) in [
            ("as it is", pem.clone()),
            ("CRLF", pem.replace('\n', "\r\n")),
            ("literal \\n", pem.replace('\n', "\\n")),
            ("literal \\r\\n", pem.replace('\n', "\\r\\n")),
            ("double quotes", format!("\"{pem}\"")),
            ("single quotes", format!("'{pem}'\n")),
            ("one line", one_line.clone()),
            ("one line in quotes", format!("\"{one_line}\"")),
            ("base64", STANDARD.encode(pem)),
            (
                "base64 in lines",
                STANDARD
                    .encode(pem)
                    .as_bytes()
                    .chunks(76)
                    .map(|line| format!("{}\r\n", String::from_utf8_lossy(line)))
                    .collect(),
            ),
            ("a mark at its beginning", format!("\u{feff}{pem}")),
            ("indented", pem.lines().map(|line| format!("    {line}\n")).collect()),
            ("text before and after", format!("Bag Attributes\n{pem}\nthe end")),
        ] {
            let key = AppKey::read(&text).unwrap_or_else(|bad| panic!("{form}: {bad}"));
            assert_eq!(key.fingerprint.as_str(), pair.fingerprint, "{form}");
            assert!(*key.pem == *pem, "{form}: it is written in one way");
        }
    }
}

#[test]
fn what_is_no_key_of_an_app_is_said_to_be_what_it_is() {
    let pair = AppKeyPair::new();
    let cut = &pair.pkcs1[..pair.pkcs1.len() / 2];
    let mut damaged = pair.pkcs1.clone();
    damaged.replace_range(200..204, "AAAA");
    let unfinished = format!("{cut}\n-----END RSA PRIVATE KEY-----\n");
    let ssh = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA\n-----END OPENSSH PRIVATE KEY-----\n";
    for (what, text, bad) in [
        ("nothing", "", BadKey::Empty),
        ("spaces", " \n", BadKey::Empty),
        ("quotes", "\"\"", BadKey::Empty),
        ("a word", "secret", BadKey::NotAKey),
        ("its public half", &pair.public, BadKey::PublicKey),
        ("a public key for SSH", "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQ me@here", BadKey::PublicKey),
        ("a key for SSH", ssh, BadKey::SshKey),
        ("a key of PuTTY", "PuTTY-User-Key-File-3: ssh-rsa\nEncryption: none", BadKey::SshKey),
        ("a certificate", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----", BadKey::Certificate),
        ("half of it", cut, BadKey::Damaged),
        ("half of it, with an end", &unfinished, BadKey::Damaged),
        ("a damaged one", &damaged, BadKey::Damaged),
        ("one on a curve", &ec(), BadKey::NotRsa),
        ("a short one", SHORT, BadKey::TooShort),
        ("far too much", &"A".repeat(70_000), BadKey::TooLong),
    ] {
        let read = AppKey::read(text);
        assert_eq!(read.err(), Some(bad), "{what}");
    }
}

/// A private key on P-256 in PKCS#8.
fn ec() -> String {
    let key = rcgen::KeyPair::generate().expect("a key");
    key.serialize_pem()
}

#[test]
fn a_public_key_in_the_form_of_a_file_of_ours_is_one() {
    let file = String::from_utf8(Signer::rsa().file()).expect("text");
    assert_eq!(AppKey::read(&file).err(), Some(BadKey::PublicKey));
}

/// Of 1,024 bits, made for this test.
const SHORT: &str = "\
-----BEGIN RSA PRIVATE KEY-----\n\
MIICXAIBAAKBgQC/dzW7U0AkGhCnDpPnjTjKuvxnEQeLBilB1sn60GFfT9jLaz+M\n\
N383qjsrkOtJQgU4rbQRH+ldwrmadNwSJpXYLgmixGhGfLFzX4Ntr9JflBZr/m+p\n\
AlsFs5FudHfQdiU11PTYiEavzgZAHKxobRFmZglTSypsBIy/JCmaP8Z63QIDAQAB\n\
AoGASHkwPosBoWi4WvPaqnA7SgnDVqQMjeQ0I7bQ136fDPvlXQJomIO9RO3L3e7K\n\
EP3Liiu+GClTJWl65etMDhbK6tRGAVGb/i6OIuMiNFehXu0iwzqq2l5p09HSFiZa\n\
W0DYnRUq0EFD2Ge6PQ2GDlxBkdWuS0fdpzsJcmOvNNys38ECQQDv0YMyFdcT+QF7\n\
RpAj/W/xN8z5ke9pDWrk1JVqhe4eFpWTuih9YIrM2YP91kKrXb1tbUvgPAs/WTRm\n\
u3ZjvsKxAkEAzGJ6vU9/CacFTiMiMcEd16sSFtTxTTl6nSRv2zOtFQL5z6btIlrF\n\
QLd0PxWYEHuc7O0hs0MseTNHkWE21q1N7QJAI/TDuOSxZJs276a6wcqj2ATHxLtu\n\
q8+JMVn2NQxzkStNreKBY5rv9JrAQXS4dj0Nw7RZZftarFrRkn2U2IunYQJAZBq7\n\
6SsdmrmudIXqwpnGpxJH6tzjTyKe9oaZLrDRzl/FwToOHWx9/mOcUSWfdDtHMhg3\n\
EFkPWFGQdRk7RcxeRQJBAKl2eKehIhGinYx5OIGAcqY1E11nV5IaYsYPGIU/XD/A\n\
YjbgpUjGcH5JLhr7BqTrpFare409sUT8KmvLkKE1rFY=\n\
-----END RSA PRIVATE KEY-----\n";
