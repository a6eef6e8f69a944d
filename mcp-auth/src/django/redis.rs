//! Redis as the cache of a site.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, RedisError};
use tokio::sync::Mutex;

use super::cache::{Cache, CacheFuture, Cached};
use crate::{Rejection, signing};

/// How long an answer may take, and how long a connection.
const TIMEOUT: Duration = Duration::from_secs(2);
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// One connection, made when it is first needed and again after it broke.
pub(super) struct Redis {
    client: Result<Client, String>,
    connection: Mutex<Option<MultiplexedConnection>>,
}

impl Redis {
    pub(super) fn new(url: &str) -> Self {
        // The URL may hold a password.
        let client = Client::open(url).map_err(|_| {
            let why =
                if url.starts_with("rediss:") { "Redis is not asked over TLS here" } else { "the URL of Redis can not be read" };
            format!("{why}: `redis://:password@cache.example.com:6379/1`, for example")
        });
        Self { client, connection: Mutex::default() }
    }

    async fn connection(&self, client: &Client) -> Result<MultiplexedConnection, RedisError> {
        let mut connection = self.connection.lock().await;
        if let Some(connection) = &*connection {
            return Ok(connection.clone());
        }
        let config = AsyncConnectionConfig::new().set_connection_timeout(Some(TIMEOUT)).set_response_timeout(Some(TIMEOUT));
        let made = client.get_multiplexed_async_connection_with_config(&config).await?;
        *connection = Some(made.clone());
        Ok(made)
    }

    async fn ask(&self, client: &Client, key: &str) -> Result<(Vec<u8>, i64), RedisError> {
        let mut connection = self.connection(client).await?;
        // Two commands that a reader may send: the value, not more of it than is looked at, and its milliseconds to live.
        let mut pipe = redis::pipe();
        pipe.cmd("GETRANGE").arg(key).arg(0).arg(signing::MAX_TEXT).cmd("PTTL").arg(key);
        let answer = pipe.query_async(&mut connection).await;
        if answer.as_ref().is_err_and(|error: &RedisError| error.is_unrecoverable_error() || error.is_timeout()) {
            *self.connection.lock().await = None;
        }
        answer
    }
}

impl Cache for Redis {
    fn get<'a>(&'a self, key: String) -> CacheFuture<'a> {
        Box::pin(async move {
            let down = |detail: String| Rejection::unavailable("django_redis", RETRY_AFTER).detail(detail);
            let client = self.client.as_ref().map_err(|problem| down(problem.clone()))?;
            let answer = tokio::time::timeout(2 * TIMEOUT, async {
                match self.ask(client, &key).await {
                    // Redis may have been restarted since.
                    Err(error) if error.is_unrecoverable_error() => self.ask(client, &key).await,
                    answer => answer,
                }
            });
            let (value, lifetime) = match answer.await {
                Ok(answer) => answer.map_err(|error| down(error.to_string()))?,
                Err(_) => return Err(down(format!("no answer within {} s", 2 * TIMEOUT.as_secs()))),
            };
            Ok(match lifetime {
                // -2: no such key. -1: it has no end.
                -1 => Some(Cached { value, lifetime: None }),
                _ => u64::try_from(lifetime).ok().map(|ms| Cached { value, lifetime: Some(Duration::from_millis(ms)) }),
            })
        })
    }

    fn problem(&self) -> Option<String> {
        self.client.as_ref().err().cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_and_their_secrets_kept() {
        assert_eq!(Redis::new("redis://:hunter2@cache.example.com:6379/1").problem(), None);
        for (url, why) in [("rediss://:hunter2@cache.example.com/1", "TLS"), ("http://hunter2", "read"), ("", "read")] {
            let problem = Redis::new(url).problem().expect(url);
            assert!(problem.contains(why) && !problem.contains("hunter2"), "{problem}");
        }
    }
}
