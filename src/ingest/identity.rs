//! Keyed hashes of run ids.
//!
//! The id of a run authorises its holder to report on the run, to read it and to erase it. The server
//! therefore stores and publishes only hashes, which cannot be used as ids.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use uuid::Uuid;

use crate::config::protection::Secret;

/// The key of an execution or a session: the first 128 bits of the HMAC-SHA-256 of its id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunKey(pub Uuid);

impl fmt::Debug for RunKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RunKey(..)")
    }
}

/// The secret that turns ids into [`RunKey`]s. All instances on one database share it.
#[derive(Clone)]
pub struct IdKey(Hmac<Sha256>);

impl fmt::Debug for IdKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdKey(..)")
    }
}

impl IdKey {
    /// Uses a secret of any length; HMAC pads or hashes it.
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

    /// The key under which the run with this id is stored.
    #[must_use]
    pub fn run_key(&self, id: &str) -> RunKey {
        let digest = self.0.clone().chain_update(id.as_bytes()).finalize().into_bytes();
        let mut bytes = [0_u8; 16];
        bytes.copy_from_slice(&digest[..16]);
        RunKey(Uuid::from_bytes(bytes))
    }

    /// A signature of a text, 64 hexadecimal digits. It needs this key and a second secret.
    #[must_use]
    pub fn sign(&self, secret: &Secret, text: &str) -> String {
        let key = self.0.clone().chain_update(secret.reveal()).finalize().into_bytes();
        let signature = Self::new(&key).0.chain_update(text).finalize().into_bytes();
        signature.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Test case 2 of RFC 4231.
    #[test]
    fn the_key_is_an_hmac_sha_256() {
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
    fn secrets_give_different_keys_and_debug_output_hides_both() {
        assert_ne!(IdKey::new(b"a").run_key("x"), IdKey::new(b"b").run_key("x"));
        let printed = format!("{:?} {:?}", IdKey::new(b"a"), IdKey::new(b"a").run_key("x"));
        assert_eq!(printed, "IdKey(..) RunKey(..)");
    }
}
