//! Private keys of SSH as people have them: read, explained, proved, written in another form.
//!
//! Called by the command line, by the routes of the key pool, and by the jobs that let an agent sign with a key. Bytes come
//! in, answers go out: it opens no file, knows no clock, no store and no network, and takes what is random from its caller.
//! The private half stays in memory that is cleared.

mod algorithm;
mod armour;
mod costs;
mod der_keys;
mod generate;
mod git_host;
mod guide;
mod legacy_pem;
mod material;
mod openssh;
mod pkcs8;
mod ppk;
mod problem;
mod proof;
mod public_half;
mod read;
mod remainder;
mod remedy;
mod sign;
#[cfg(test)]
mod tests;
mod wire;
mod write;

pub use self::{
    algorithm::{Algorithm, Curve},
    generate::{ed25519, rsa_4096},
    git_host::{GIT_HOSTS, GitHost},
    guide::{Platform, Step, guide},
    problem::{Problem, TooCostly},
    public_half::PublicHalf,
    read::{Format, Look, SshKey, look, read},
    remedy::Remedy,
    write::{Fresh, Target},
};

/// The most bytes that a file with a private key may have. The largest RSA key that is taken has 13 KiB.
pub const MOST_BYTES: usize = 64 << 10;
