//! How much a file may ask for before it is opened: whoever uploads it chooses memory and rounds, and a few bytes could
//! ask for hours. Called by the readers before they derive a key.

use super::problem::{Problem, TooCostly};

/// Bytes that Argon2 and scrypt may take.
const MOST_MEMORY: u64 = 256 << 20;
/// Bytes that Argon2 may go over in all passes together: some seconds.
const MOST_PASSED_OVER: u64 = 4 << 30;
const MOST_LANES: u32 = 16;
/// `ssh-keygen -a` is 16 or 24 where nobody says anything.
const MOST_BCRYPT_ROUNDS: u32 = 512;
const MOST_PBKDF2_ROUNDS: u32 = 5_000_000;
/// N × r × p of scrypt.
const MOST_SCRYPT_WORK: u64 = 4 << 20;

fn within(function: TooCostly, is_within: bool, asked: impl FnOnce() -> String) -> Result<(), Problem> {
    if is_within { Ok(()) } else { Err(Problem::TooCostly { function, asked: asked() }) }
}

/// `memory` in KiB.
pub(super) fn argon2(memory: u32, passes: u32, lanes: u32) -> Result<(), Problem> {
    let bytes = u64::from(memory) << 10;
    let is_within =
        bytes <= MOST_MEMORY && bytes.saturating_mul(passes.into()) <= MOST_PASSED_OVER && lanes <= MOST_LANES;
    within(TooCostly::Argon2, is_within, || format!("{memory} KiB, {passes} passes and {lanes} lanes"))
}

pub(super) fn bcrypt(rounds: u32) -> Result<(), Problem> {
    within(TooCostly::Bcrypt, rounds <= MOST_BCRYPT_ROUNDS, || format!("{rounds} rounds"))
}

pub(super) fn pbkdf2(rounds: u32) -> Result<(), Problem> {
    within(TooCostly::Pbkdf2, rounds <= MOST_PBKDF2_ROUNDS, || format!("{rounds} rounds"))
}

/// N, r and p as RFC 7914 has them.
pub(super) fn scrypt(cost: u64, block: u16, lanes: u16) -> Result<(), Problem> {
    let (block, lanes) = (u64::from(block), u64::from(lanes));
    let memory = cost.saturating_mul(block).saturating_mul(128);
    let work = cost.saturating_mul(block).saturating_mul(lanes);
    let is_within = memory <= MOST_MEMORY && work <= MOST_SCRYPT_WORK;
    within(TooCostly::Scrypt, is_within, || format!("N = {cost}, r = {block}, p = {lanes}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_programs_write_is_within_and_what_would_take_gigabytes_or_minutes_is_not() {
        assert!(argon2(8192, 34, 1).is_ok() && argon2(262_144, 16, 4).is_ok());
        assert!(
            argon2(262_145, 1, 1).is_err() && argon2(8192, u32::MAX, 1).is_err() && argon2(u32::MAX, 1, 1).is_err()
        );
        assert!(argon2(8192, 1, u32::MAX).is_err());
        assert!(bcrypt(16).is_ok() && bcrypt(100).is_ok() && bcrypt(513).is_err());
        assert!(pbkdf2(2048).is_ok() && pbkdf2(1_300_000).is_ok() && pbkdf2(u32::MAX).is_err());
        assert!(scrypt(16_384, 8, 1).is_ok() && scrypt(1 << 18, 8, 1).is_ok());
        assert!(scrypt(1 << 20, 8, 1).is_err() && scrypt(16_384, 8, u16::MAX).is_err());
        assert!(scrypt(u64::MAX, u16::MAX, u16::MAX).is_err());
    }
}
