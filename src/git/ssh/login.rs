//! What the agent is asked to sign: a login as one user with one key (RFC 4252, section 7), and nothing else. Called by the
//! agent before it signs.

/// `SSH_MSG_USERAUTH_REQUEST`
const REQUEST: u8 = 50;
/// Beside the one of RFC 4252 the one of OpenSSH that names the host key, too (PROTOCOL of OpenSSH).
const METHODS: [&[u8]; 2] = [b"publickey", b"publickey-hostbound-v00@openssh.com"];
/// The longest hash that a key exchange makes.
const LONGEST_SESSION: usize = 64;

/// Takes a `string` (RFC 4251, section 5) off the front.
pub(super) fn take_string<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, after) = rest.split_first_chunk::<4>()?;
    let (text, after) = after.split_at_checked(u32::from_be_bytes(*length) as usize)?;
    *rest = after;
    Some(text)
}

fn take_byte(rest: &mut &[u8]) -> Option<u8> {
    let (byte, after) = rest.split_first()?;
    *rest = after;
    Some(*byte)
}

/// Whether signing this lets `user` in with the key `blob`, and does nothing else.
pub(super) fn is_login(message: &[u8], user: &str, blob: &[u8]) -> bool {
    let mut rest = message;
    let mut look = || -> Option<bool> {
        let session = take_string(&mut rest)?;
        let is_request = take_byte(&mut rest)? == REQUEST;
        let is_user = take_string(&mut rest)? == user.as_bytes();
        let is_connection = take_string(&mut rest)? == b"ssh-connection";
        let method = take_string(&mut rest)?;
        let has_signature = take_byte(&mut rest)? == 1;
        let _algorithm = take_string(&mut rest)?;
        let is_key = take_string(&mut rest)? == blob;
        let is_known = METHODS.contains(&method);
        if method == METHODS[1] {
            let _host_key = take_string(&mut rest)?;
        }
        let is_session = !session.is_empty() && session.len() <= LONGEST_SESSION;
        let is_whole = rest.is_empty();
        Some(is_session && is_request && is_user && is_connection && is_known && has_signature && is_key && is_whole)
    };
    look().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn string(bytes: &[u8]) -> Vec<u8> {
        let length = u32::try_from(bytes.len()).expect("it is short");
        [&length.to_be_bytes()[..], bytes].concat()
    }

    fn login(user: &str, method: &[u8], key: &[u8], more: &[u8]) -> Vec<u8> {
        let parts: [Vec<u8>; 8] = [
            string(&[7; 32]),
            vec![REQUEST],
            string(user.as_bytes()),
            string(b"ssh-connection"),
            string(method),
            vec![1],
            string(b"ssh-ed25519"),
            string(key),
        ];
        [parts.concat(), more.to_vec()].concat()
    }

    #[test]
    fn only_a_login_of_this_user_with_this_key_is_one() {
        assert!(is_login(&login("git", METHODS[0], b"key", b""), "git", b"key"));
        assert!(is_login(&login("git", METHODS[1], b"key", &string(b"host key")), "git", b"key"));
        let others = [
            login("root", METHODS[0], b"key", b""),
            login("git", METHODS[0], b"another key", b""),
            login("git", b"hostbased", b"key", b""),
            login("git", METHODS[0], b"key", b"more"),
            login("git", METHODS[1], b"key", b""),
            b"SSHSIG\0\0\0\x04file".to_vec(),
            Vec::new(),
        ];
        for message in others {
            assert!(!is_login(&message, "git", b"key"), "{message:?}");
        }
        let whole = login("git", METHODS[0], b"key", b"");
        assert!((0..whole.len()).all(|length| !is_login(&whole[..length], "git", b"key")), "cut off anywhere");
        let mut without_signature = whole;
        let at = without_signature.len() - string(b"ssh-ed25519").len() - string(b"key").len() - 1;
        without_signature[at] = 0;
        assert!(!is_login(&without_signature, "git", b"key"));
    }
}
