//! Run ids as they are stored: only as a keyed hash.
//!
//! Whoever knows the id of a run may report on it and read it. What is stored, published or
//! dumped must therefore not be usable as an id.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use uuid::Uuid;

/// The first 128 bits of HMAC-SHA-256 over a run id: the key of an execution or a session.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunKey(pub Uuid);

impl fmt::Debug for RunKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RunKey(..)")
    }
}

/// The server's secret behind every [`RunKey`]. All instances on one database share it.
#[derive(Clone)]
pub struct IdKey(Hmac<Sha256>);

impl fmt::Debug for IdKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdKey(..)")
    }
}

impl IdKey {
    /// Takes a secret of any length (HMAC pads or hashes it).
    #[must_use]
    pub fn new(secret: &[u8]) -> Self {
        let mut block = [0_u8; 64];
        if secret.len() > block.len() {
            use sha2::Digest;
            block[..32].copy_from_slice(&Sha256::digest(secret));
        } else {
            block[..secret.len()].copy_from_slice(secret);
        }
        Self(Hmac::new(&block.into()))
    }

    /// The key under which a run is stored.
    #[must_use]
    pub fn run_key(&self, id: &str) -> RunKey {
        let digest = self.0.clone().chain_update(id.as_bytes()).finalize().into_bytes();
        let mut bytes = [0_u8; 16];
        bytes.copy_from_slice(&digest[..16]);
        RunKey(Uuid::from_bytes(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Test case 2 of RFC 4231.
    #[test]
    fn it_is_hmac_sha_256() {
        let key = IdKey::new(b"Jefe").run_key("what do ya want for nothing?");
        assert_eq!(key.0.simple().to_string(), "5bdcc146bf60754e6a042426089575c7");
    }

    /// Test case 6 of RFC 4231: a key longer than a block.
    #[test]
    fn long_secrets_are_hashed_first() {
        let key = IdKey::new(&[0xaa; 131]).run_key("Test Using Larger Than Block-Size Key - Hash Key First");
        assert_eq!(key.0.simple().to_string(), "60e431591ee0b67f0d8a26aacbf5b77f");
    }

    #[test]
    fn another_secret_gives_another_key_and_none_is_printed() {
        assert_ne!(IdKey::new(b"a").run_key("x"), IdKey::new(b"b").run_key("x"));
        let printed = format!("{:?} {:?}", IdKey::new(b"a"), IdKey::new(b"a").run_key("x"));
        assert_eq!(printed, "IdKey(..) RunKey(..)");
    }
}
