//! Caches with single flight: concurrent requests for the same thing share one computation, so a thousand
//! readers cost the database one query. Errors are never cached.
//!
//! [`Answers`] holds complete HTTP bodies, bounded by their total size. [`CachedValue`] holds one value.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::http::header::HeaderValue;
use actix_web::web::Bytes;
use moka::Expiry;
use moka::future::Cache;
use sha2::{Digest, Sha256};

/// Largest total size of the cached answers in bytes.
const MAX_BYTES: u64 = 64 << 20;
/// Estimated size of an answer besides its body and key.
const OVERHEAD_BYTES: usize = 256;

/// An answer that is ready to be sent.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The body.
    pub body: Bytes,
    /// Media type of the body.
    pub content_type: &'static str,
    /// The `Content-Disposition` header of a download.
    pub disposition: Option<HeaderValue>,
    /// The `Link` header that leads to the next page.
    pub link: Option<HeaderValue>,
    /// A hash of the body, as a strong entity tag.
    pub etag: HeaderValue,
    /// Whether only maintainers may see it, so that no shared cache stores it.
    pub is_private: bool,
    created: Instant,
    lifetime: Duration,
}

impl Answer {
    /// An answer that may be served from the cache for `lifetime`.
    #[must_use]
    pub fn new(body: Vec<u8>, content_type: &'static str, lifetime: Duration) -> Self {
        let etag = entity_tag(Sha256::new(), &body);
        let (is_private, created) = (false, Instant::now());
        let (disposition, link) = (None, None);
        Self { body: body.into(), content_type, disposition, link, etag, is_private, created, lifetime }
    }

    /// The answer for maintainers. Its entity tag is never that of an answer for the public.
    #[must_use]
    pub fn private(self) -> Self {
        let etag = entity_tag(Sha256::new().chain_update("private"), &self.body);
        Self { etag, is_private: true, ..self }
    }

    /// Time until the answer expires.
    #[must_use]
    pub fn remaining(&self) -> Duration {
        self.lifetime.saturating_sub(self.created.elapsed())
    }
}

/// A hash of the body, seeded by `hash`.
fn entity_tag(hash: Sha256, body: &[u8]) -> HeaderValue {
    let digest = hash.chain_update(body).finalize();
    let tag: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    HeaderValue::from_str(&format!("\"{tag}\"")).unwrap_or(HeaderValue::from_static("\"\""))
}

/// Each answer has a lifetime of its own.
struct PerAnswer;

impl Expiry<String, Arc<Answer>> for PerAnswer {
    fn expire_after_create(&self, _: &String, answer: &Arc<Answer>, _: Instant) -> Option<Duration> {
        Some(answer.remaining())
    }
}

/// The cached answers, by key.
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
            .expire_after(PerAnswer);
        Self(cache.build())
    }
}

impl Answers {
    /// Returns the cached answer for `key`, or computes it.
    ///
    /// # Errors
    /// The error of `compute`, which every waiting caller receives.
    pub async fn get_or_compute<E: Copy + Send + Sync + 'static>(
        &self,
        key: &str,
        compute: impl Future<Output = Result<Answer, E>>,
    ) -> Result<Arc<Answer>, E> {
        let compute = async { compute.await.map(Arc::new) };
        self.0.try_get_with_by_ref(key, compute).await.map_err(|error| *error)
    }
}

/// One value that is computed again when it is older than its lifetime.
#[derive(Clone)]
pub struct CachedValue<T>(Cache<(), Arc<T>>);

impl<T> fmt::Debug for CachedValue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CachedValue(..)")
    }
}

impl<T: Send + Sync + 'static> CachedValue<T> {
    /// An empty cache whose value expires after `lifetime`.
    #[must_use]
    pub fn new(lifetime: Duration) -> Self {
        Self(Cache::builder().max_capacity(1).time_to_live(lifetime).build())
    }

    /// Returns the cached value, or computes it.
    ///
    /// # Errors
    /// The error of `compute`, which every waiting caller receives.
    pub async fn get_or_compute<E: Send + Sync + 'static>(
        &self,
        compute: impl Future<Output = Result<T, E>>,
    ) -> Result<Arc<T>, Arc<E>> {
        self.0.try_get_with((), async { compute.await.map(Arc::new) }).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn concurrent_requests_share_one_computation() {
        let (answers, computed) = (Answers::default(), AtomicU32::new(0));
        let compute = || async {
            computed.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
            Ok::<_, u8>(Answer::new(b"x".to_vec(), "text/plain", Duration::from_secs(60)))
        };
        let requests = (0..20).map(|_| answers.get_or_compute("key", compute()));
        let received = futures_util::future::join_all(requests).await;
        assert!(received.iter().all(|answer| answer.as_ref().is_ok_and(|answer| &answer.body[..] == b"x")));
        assert_eq!(computed.load(Ordering::Relaxed), 1);
        answers.get_or_compute("another", compute()).await.expect("computed");
        assert_eq!(computed.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn errors_and_expired_answers_are_not_cached() {
        let answers = Answers::default();
        assert_eq!(answers.get_or_compute("key", async { Err(7) }).await.err(), Some(7));
        for body in ["a", "b"] {
            let compute = async { Ok::<_, u8>(Answer::new(body.into(), "text/plain", Duration::ZERO)) };
            assert_eq!(answers.get_or_compute("key", compute).await.expect("computed").body, body);
        }
    }
}
