//! Access keys: those the emulator starts with, and those it issues for a time.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use crate::http::Identity;

/// The account of the test credentials; those of further accounts follow it.
const FIRST_ACCOUNT: u64 = 111_122_223_333;

/// Issued credentials that are remembered; the oldest go first.
const MAX_SESSIONS: usize = 100_000;

/// What a client signs with.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The access key id.
    pub access_key: String,
    /// The secret access key.
    pub secret_key: String,
    /// The token that requests carry along, of temporary credentials.
    pub session_token: Option<String>,
}

impl Credentials {
    /// Credentials without a session token.
    #[must_use]
    pub fn new(access_key: impl Into<String>, secret_key: impl Into<String>) -> Self {
        let (access_key, secret_key) = (access_key.into(), secret_key.into());
        Self { access_key, secret_key, session_token: None }
    }

    /// The credentials that every emulator knows unless it is told others.
    pub(crate) fn test() -> Self {
        Self::new("AKIAPOLYCLOUDTEST000", "polycloud/test+secret/of/the/emulator000")
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("access_key", &self.access_key)
            .field("secret_key", &"[redacted]")
            .field("session_token", &self.session_token.as_ref().map(|_| "[redacted]"))
            .finish()
    }
}

/// What is known of an access key.
pub(crate) struct Key {
    pub(crate) secret: String,
    pub(crate) token: Option<String>,
    pub(crate) expires: Option<SystemTime>,
    pub(crate) account: String,
    /// Who it is: a user, or a session of a role.
    pub(crate) arn: String,
    pub(crate) user_id: String,
    /// The scope that was signed for last and its signing key.
    pub(crate) signing: Mutex<Option<(String, [u8; 32])>>,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("arn", &self.arn).finish_non_exhaustive()
    }
}

/// Credentials that were issued for a time.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) credentials: Credentials,
    pub(crate) expires: SystemTime,
}

/// All access keys.
#[derive(Debug)]
pub(crate) struct Keys(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    keys: BTreeMap<String, Arc<Key>>,
    /// Issued keys in the order of issue.
    sessions: std::collections::VecDeque<String>,
    issued: u64,
}

impl Keys {
    /// The accounts in order; the first is that of the test credentials.
    pub(crate) fn new(accounts: &[Credentials]) -> Self {
        let numbered = (FIRST_ACCOUNT..).map(|number| number.to_string()).zip(accounts);
        let keys = numbered.map(|(account, credentials)| {
            let key = Key {
                secret: credentials.secret_key.clone(),
                token: credentials.session_token.clone(),
                expires: None,
                arn: format!("arn:aws:iam::{account}:user/test"),
                user_id: "AIDAPOLYCLOUDTEST000".to_owned(),
                account,
                signing: Mutex::default(),
            };
            (credentials.access_key.clone(), Arc::new(key))
        });
        Self(Mutex::new(State { keys: keys.collect(), ..State::default() }))
    }

    pub(crate) fn get(&self, access_key: &str) -> Option<Arc<Key>> {
        self.lock().keys.get(access_key).cloned()
    }

    /// Issues credentials that end after `lifetime`.
    pub(crate) fn issue(
        &self,
        account: &str,
        arn: String,
        user_id: impl FnOnce(&str) -> String,
        now: SystemTime,
        lifetime: Duration,
    ) -> Session {
        let mut state = self.lock();
        state.issued += 1;
        let credentials = session_credentials(state.issued);
        let expires = now.checked_add(lifetime).unwrap_or(now);
        let key = Key {
            secret: credentials.secret_key.clone(),
            token: credentials.session_token.clone(),
            expires: Some(expires),
            account: account.to_owned(),
            arn,
            user_id: user_id(&credentials.access_key),
            signing: Mutex::default(),
        };
        state.keys.insert(credentials.access_key.clone(), Arc::new(key));
        state.sessions.push_back(credentials.access_key.clone());
        if state.sessions.len() > MAX_SESSIONS
            && let Some(oldest) = state.sessions.pop_front()
        {
            state.keys.remove(&oldest);
        }
        Session { credentials, expires }
    }

    /// Forgets what was issued.
    pub(crate) fn forget_sessions(&self) {
        let state = &mut *self.lock();
        for key in state.sessions.drain(..) {
            state.keys.remove(&key);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The credentials of the n-th session: the same in every run, so that runs can be repeated.
fn session_credentials(number: u64) -> Credentials {
    let text = |what: &str| STANDARD.encode(Sha256::digest(format!("{what} {number}")));
    let letters = text("access key").to_ascii_uppercase().replace(['+', '/', '='], "Z");
    let access_key = format!("ASIA{}", letters.get(..16).unwrap_or_default());
    let secret = text("secret key");
    Credentials {
        access_key,
        secret_key: secret.get(..40).unwrap_or(&secret).to_owned(),
        session_token: Some(format!("IQoJ{}{}", text("token"), text("tail"))),
    }
}

/// The caller that a key stands for.
pub(crate) fn identity(access_key: &str, key: &Key) -> Identity {
    Identity { access_key: access_key.to_owned(), account: key.account.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_secret() {
        let mut credentials = Credentials::new("AK", "canary-secret");
        credentials.session_token = Some("canary-token".to_owned());
        assert!(!format!("{credentials:?}").contains("canary"));
        let keys = Keys::new(&[credentials]);
        assert!(!format!("{keys:?} {:?}", keys.get("AK")).contains("canary"));
    }

    #[test]
    fn accounts_are_numbered_and_sessions_differ() {
        let keys = Keys::new(&[Credentials::new("A", "1"), Credentials::new("B", "2")]);
        assert_eq!(keys.get("A").unwrap().account, "111122223333");
        assert_eq!(keys.get("B").unwrap().account, "111122223334");
        let now = SystemTime::UNIX_EPOCH;
        let issue = || keys.issue("1", String::new(), str::to_owned, now, Duration::from_secs(9));
        let (one, two) = (issue(), issue());
        assert_ne!(one.credentials, two.credentials);
        assert_eq!(one.credentials.access_key.len(), 20);
        assert!(keys.get(&one.credentials.access_key).is_some());
        keys.forget_sessions();
        assert!(keys.get(&one.credentials.access_key).is_none());
        assert!(keys.get("A").is_some());
    }
}
