//! Answers that were made a moment ago. Whoever asks for the same while one is made waits for it: a
//! thousand readers cost the database one query.
//!
//! An answer says by its `as_of` when it was made, so it is never staler than it says. It is kept
//! ready to be sent, and all of them together are bounded by bytes.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::http::header::HeaderValue;
use actix_web::web::Bytes;
use moka::Expiry;
use moka::future::Cache;
use sha2::{Digest, Sha256};

/// Bytes of answers that are kept.
const MAX_BYTES: u64 = 64 << 20;
/// What an answer costs besides its body and key.
const OVERHEAD_BYTES: usize = 256;

/// An answer, ready to be sent.
#[derive(Clone, Debug)]
pub struct Answer {
    /// What is sent.
    pub body: Bytes,
    /// Its media type.
    pub content_type: &'static str,
    /// The name under which it is to be saved, as a header; `None` for what is to be shown.
    pub disposition: Option<HeaderValue>,
    /// The next page, as a header.
    pub link: Option<HeaderValue>,
    /// A hash of the body, as a strong entity tag.
    pub etag: HeaderValue,
    made: Instant,
    lasts: Duration,
}

impl Answer {
    /// An answer that may be given again for a while.
    #[must_use]
    pub fn new(body: Vec<u8>, content_type: &'static str, lasts: Duration) -> Self {
        let digest = Sha256::digest(&body);
        let tag: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        let etag = HeaderValue::from_str(&format!("\"{tag}\"")).unwrap_or(HeaderValue::from_static("\"\""));
        let made = Instant::now();
        Self { body: body.into(), content_type, disposition: None, link: None, etag, made, lasts }
    }

    /// The same, to be saved under a name.
    #[must_use]
    pub fn saved_as(self, disposition: Option<HeaderValue>) -> Self {
        Self { disposition, ..self }
    }

    /// The same, with the way to the next page.
    #[must_use]
    pub fn followed_by(self, link: Option<HeaderValue>) -> Self {
        Self { link, ..self }
    }

    /// How long it may still be given.
    #[must_use]
    pub fn remaining(&self) -> Duration {
        self.lasts.saturating_sub(self.made.elapsed())
    }
}

/// Every answer lasts as long as it says.
struct AsItSays;

impl Expiry<String, Arc<Answer>> for AsItSays {
    fn expire_after_create(&self, _: &String, answer: &Arc<Answer>, _: Instant) -> Option<Duration> {
        Some(answer.remaining())
    }
}

/// The answers that are kept.
#[derive(Clone)]
pub struct Answers(Cache<String, Arc<Answer>>);

impl fmt::Debug for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answers").field("count", &self.0.entry_count()).finish()
    }
}

impl Default for Answers {
    fn default() -> Self {
        let cache = Cache::builder()
            .max_capacity(MAX_BYTES)
            .weigher(|key: &String, answer: &Arc<Answer>| {
                u32::try_from(key.len() + answer.body.len() + OVERHEAD_BYTES).unwrap_or(u32::MAX)
            })
            .expire_after(AsItSays);
        Self(cache.build())
    }
}

impl Answers {
    /// The answer that is kept under a key, else the one that `make` makes; an error is not kept.
    ///
    /// # Errors
    /// What `make` says.
    pub async fn get_or_make<E: Copy + Send + Sync + 'static>(
        &self,
        key: &str,
        make: impl Future<Output = Result<Answer, E>>,
    ) -> Result<Arc<Answer>, E> {
        let make = async { make.await.map(Arc::new) };
        self.0.try_get_with_by_ref(key, make).await.map_err(|error| *error)
    }
}

/// One value that is looked up now and then.
#[derive(Clone)]
pub struct Kept<T>(Cache<(), Arc<T>>);

impl<T> fmt::Debug for Kept<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Kept(..)")
    }
}

impl<T: Send + Sync + 'static> Kept<T> {
    /// Nothing yet; what is found is kept for so long.
    #[must_use]
    pub fn new(lasts: Duration) -> Self {
        Self(Cache::builder().max_capacity(1).time_to_live(lasts).build())
    }

    /// The value that is kept, else the one that `look_up` finds; an error is not kept.
    ///
    /// # Errors
    /// What `look_up` says; everybody who waits for it gets the same.
    pub async fn get<E: Send + Sync + 'static>(
        &self,
        look_up: impl Future<Output = Result<T, E>>,
    ) -> Result<Arc<T>, Arc<E>> {
        self.0.try_get_with((), async { look_up.await.map(Arc::new) }).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn what_many_ask_for_at_once_is_made_once() {
        let (answers, made) = (Answers::default(), AtomicU32::new(0));
        let make = || async {
            made.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
            Ok::<_, u8>(Answer::new(b"x".to_vec(), "text/plain", Duration::from_secs(60)))
        };
        let asked = (0..20).map(|_| answers.get_or_make("key", make()));
        let given = futures_util::future::join_all(asked).await;
        assert!(given.iter().all(|answer| answer.as_ref().is_ok_and(|answer| &answer.body[..] == b"x")));
        assert_eq!(made.load(Ordering::Relaxed), 1);
        answers.get_or_make("another", make()).await.expect("made");
        assert_eq!(made.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn errors_and_answers_that_do_not_last_are_not_kept() {
        let answers = Answers::default();
        assert_eq!(answers.get_or_make("key", async { Err(7) }).await.err(), Some(7));
        for body in ["a", "b"] {
            let make = async { Ok::<_, u8>(Answer::new(body.into(), "text/plain", Duration::ZERO)) };
            assert_eq!(answers.get_or_make("key", make).await.expect("made").body, body);
        }
    }
}
