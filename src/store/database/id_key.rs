//! The key of the hashes under which run ids are stored: `ID_KEY`, or else one that is generated at the first start and
//! kept in the database.
//!
//! With another key, the stored runs could be neither shown nor erased by their ids. The database therefore keeps a
//! fingerprint of the key, and a server with another one does not start.

use sqlx::PgConnection;
use uuid::Uuid;

use crate::ingest::identity::IdKey;
use crate::store::database::connect::DatabaseError;
use crate::store::database::settings::{recall, remember};

/// Setting that stores a generated key.
const KEY: &str = "id_key";
/// Setting that stores the fingerprint of the key.
const FINGERPRINT: &str = "id_key_fingerprint";
/// The fingerprint is the hash of this text. It contains spaces, so no run has it as its id.
const FINGERPRINTED: &str = "fingerprint of the key";

/// Returns the key. `configured` is `ID_KEY`.
///
/// # Errors
/// [`DatabaseError::OtherIdKey`] if the runs in the database are stored under another key; any error from the database.
pub async fn id_key(
    connection: &mut PgConnection,
    configured: Option<&[u8]>,
) -> Result<IdKey, DatabaseError> {
    let generated = recall(connection, KEY).await?.map(|key| IdKey::new(&key));
    let known = match recall(connection, FINGERPRINT).await? {
        None => generated.as_ref().map(fingerprint),
        known => known,
    };
    let key = match (configured, generated) {
        (Some(key), _) => IdKey::new(key),
        (None, Some(generated)) => generated,
        (None, None) if known.is_some() => return Err(DatabaseError::OtherIdKey),
        (None, None) => {
            let fresh = [Uuid::new_v4().into_bytes(), Uuid::new_v4().into_bytes()].concat();
            IdKey::new(&remember(connection, KEY, &fresh).await?)
        }
    };
    let own = fingerprint(&key);
    // Another instance may have stored its fingerprint in the meantime.
    let kept = remember(connection, FINGERPRINT, &known.unwrap_or_else(|| own.clone())).await?;
    if kept == own { Ok(key) } else { Err(DatabaseError::OtherIdKey) }
}

fn fingerprint(key: &IdKey) -> Vec<u8> {
    key.run_key(FINGERPRINTED).0.as_bytes().to_vec()
}
