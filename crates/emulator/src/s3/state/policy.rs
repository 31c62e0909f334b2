//! Bucket policies: as much of the language as decides who may read a public bucket.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::{Result, S3Error};

/// The four switches against public access.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PublicAccessBlock {
    pub(crate) block_public_acls: bool,
    pub(crate) ignore_public_acls: bool,
    pub(crate) block_public_policy: bool,
    pub(crate) restrict_public_buckets: bool,
}

impl PublicAccessBlock {
    /// As a new bucket has them.
    pub(crate) const ALL: Self = Self {
        block_public_acls: true,
        ignore_public_acls: true,
        block_public_policy: true,
        restrict_public_buckets: true,
    };
}

/// A policy: its text as given, and its statements.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Policy {
    pub(crate) text: String,
    statements: Vec<Statement>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Statement {
    allow: bool,
    /// `*`, account ids or ARNs.
    principals: Vec<String>,
    actions: Vec<String>,
    resources: Vec<String>,
    conditional: bool,
}

impl Policy {
    pub(crate) fn parse(text: &str, bucket: &str) -> Result<Self> {
        let value = serde_json::from_str::<Value>(text)
            .map_err(|_| malformed("This policy contains invalid Json"))?;
        let statements = match value.get("Statement") {
            Some(Value::Array(statements)) => statements.as_slice(),
            Some(statement @ Value::Object(_)) => std::slice::from_ref(statement),
            _ => return Err(malformed("Missing required field Statement")),
        };
        let statements =
            statements.iter().map(|value| statement(value, bucket)).collect::<Result<Vec<_>>>()?;
        Ok(Self { text: text.to_owned(), statements })
    }

    /// Whether it lets everybody do something.
    pub(crate) fn is_public(&self) -> bool {
        self.statements.iter().any(|statement| {
            statement.allow
                && !statement.conditional
                && statement.principals.iter().any(|principal| principal == "*")
        })
    }

    /// Whether an account, or an anonymous caller, may do this. Conditions are not evaluated: an
    /// allowance with a condition does not count, a denial with one does.
    pub(crate) fn allows(&self, account: Option<&str>, action: &str, resource: &str) -> bool {
        let applies = |statement: &&Statement| {
            statement.principals.iter().any(|principal| names(principal, account))
                && statement
                    .actions
                    .iter()
                    .any(|pattern| matches(&pattern.to_lowercase(), &action.to_lowercase()))
                && statement.resources.iter().any(|pattern| matches(pattern, resource))
        };
        let mut applying = self.statements.iter().filter(applies).peekable();
        applying.peek().is_some()
            && applying.clone().any(|statement| statement.allow && !statement.conditional)
            && applying.all(|statement| statement.allow)
    }
}

fn malformed(message: &'static str) -> S3Error {
    S3Error::new("MalformedPolicy", message)
}

fn statement(value: &Value, bucket: &str) -> Result<Statement> {
    let allow = match value.get("Effect").and_then(Value::as_str) {
        Some("Allow") => true,
        Some("Deny") => false,
        _ => return Err(malformed("Invalid effect")),
    };
    let principals = match value.get("Principal") {
        Some(Value::Object(kinds)) => kinds.get("AWS").map(texts).unwrap_or_default(),
        Some(Value::String(everybody)) if everybody == "*" => vec![everybody.clone()],
        _ => return Err(malformed("Invalid principal in policy")),
    };
    let actions = value.get("Action").map(texts).unwrap_or_default();
    if !actions.iter().any(|action| action == "*" || action.starts_with("s3:")) {
        return Err(malformed("Policy has invalid action"));
    }
    let resources = value.get("Resource").map(texts).unwrap_or_default();
    let root = format!("arn:aws:s3:::{bucket}");
    let inside = |resource: &String| {
        resource
            .strip_prefix(&root)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '*']))
    };
    if resources.is_empty() || !resources.iter().all(inside) {
        return Err(malformed("Policy has invalid resource"));
    }
    let conditional = value.get("Condition").is_some();
    Ok(Statement { allow, principals, actions, resources, conditional })
}

fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(all) => all.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

fn names(principal: &str, account: Option<&str>) -> bool {
    principal == "*"
        || account.is_some_and(|account| {
            principal == account
                || principal.strip_prefix("arn:aws:iam::").and_then(|rest| rest.split(':').next())
                    == Some(account)
        })
}

/// Whether a text matches a pattern with `*` and `?`.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut from) = (0, 0);
    // Where the last star was, and how far it reaches.
    let mut star = None::<(usize, usize)>;
    while from < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, from));
                at += 1;
            }
            Some(b'?') => (at, from) = (at + 1, from + 1),
            Some(byte) if text.get(from) == Some(byte) => (at, from) = (at + 1, from + 1),
            _ => {
                let Some((behind, reach)) = star else { return false };
                star = Some((behind, reach + 1));
                (at, from) = (behind + 1, reach + 1);
            }
        }
    }
    pattern.get(at..).is_some_and(|rest| rest.iter().all(|byte| *byte == b'*'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        assert!(matches("*", "") && matches("a*c", "abbc") && matches("a?c", "abc"));
        assert!(matches("s3:Get*", "s3:GetObject") && matches("*b*", "abc") && matches("**", "x"));
        assert!(!matches("a?c", "ac") && !matches("a*c", "ab") && !matches("", "a"));
    }

    #[test]
    fn a_policy_allows_what_it_names() {
        let text = r#"{"Version":"2012-10-17","Statement":[
            {"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"},
            {"Effect":"Deny","Principal":{"AWS":"*"},"Action":["s3:*"],"Resource":["arn:aws:s3:::b/secret/*"]},
            {"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123:root"},"Action":"s3:ListBucket","Resource":"arn:aws:s3:::b"}
        ]}"#;
        let policy = Policy::parse(text, "b").unwrap();
        assert!(policy.is_public());
        assert!(policy.allows(None, "s3:GetObject", "arn:aws:s3:::b/k"));
        assert!(!policy.allows(None, "s3:GetObject", "arn:aws:s3:::b/secret/k"));
        assert!(!policy.allows(None, "s3:PutObject", "arn:aws:s3:::b/k"));
        assert!(!policy.allows(None, "s3:ListBucket", "arn:aws:s3:::b"));
        assert!(policy.allows(Some("123"), "s3:ListBucket", "arn:aws:s3:::b"));
        assert!(!policy.allows(Some("124"), "s3:ListBucket", "arn:aws:s3:::b"));
    }

    #[test]
    fn bad_policies_are_refused() {
        for text in [
            "{",
            "{}",
            r#"{"Statement":{"Effect":"Maybe"}}"#,
            r#"{"Statement":{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::other/*"}}"#,
            r#"{"Statement":{"Effect":"Allow","Principal":"*","Action":"ec2:x","Resource":"arn:aws:s3:::b/*"}}"#,
        ] {
            assert_eq!(Policy::parse(text, "b").unwrap_err().code, "MalformedPolicy", "{text}");
        }
    }
}
