//! Lifecycle configurations: kept and checked, not carried out.

use serde::{Deserialize, Serialize};

use super::error::{Result, S3Error};
use super::object::{StorageClass, Tag};

/// The rules of a bucket.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Lifecycle {
    pub(crate) rules: Vec<Rule>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rule {
    pub(crate) id: String,
    pub(crate) enabled: bool,
    pub(crate) scope: Scope,
    pub(crate) expiration: Option<Expiration>,
    pub(crate) noncurrent_expiration: Option<NoncurrentExpiration>,
    pub(crate) transitions: Vec<Transition>,
    pub(crate) noncurrent_transitions: Vec<NoncurrentTransition>,
    pub(crate) abort_uploads_after_days: Option<u64>,
}

/// To which objects a rule applies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Scope {
    /// The form of old: a prefix without a filter.
    Prefix(String),
    Filter(Filter),
}

impl Default for Scope {
    fn default() -> Self {
        Self::Filter(Filter::default())
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Filter {
    pub(crate) prefix: Option<String>,
    pub(crate) tags: Vec<Tag>,
    pub(crate) larger_than: Option<u64>,
    pub(crate) smaller_than: Option<u64>,
    /// Whether the predicates stood inside `And`.
    pub(crate) and: bool,
}

/// A day: so many after the object was made, or a date (seconds since 1970).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum When {
    Days(u64),
    Date(u64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Expiration {
    When(When),
    DeleteMarkers(bool),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NoncurrentExpiration {
    pub(crate) days: u64,
    pub(crate) newer_versions: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Transition {
    pub(crate) when: When,
    pub(crate) storage_class: StorageClass,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NoncurrentTransition {
    pub(crate) days: u64,
    pub(crate) newer_versions: Option<u64>,
    pub(crate) storage_class: StorageClass,
}

impl Lifecycle {
    /// Checks what the schema does not, and names the rules without a name.
    pub(crate) fn validated(mut self) -> Result<Self> {
        if self.rules.is_empty() || self.rules.len() > 1000 {
            return Err(S3Error::malformed_xml());
        }
        for (at, rule) in self.rules.iter_mut().enumerate() {
            if rule.id.is_empty() {
                rule.id = format!("rule-{}", at + 1);
            }
        }
        for (at, rule) in self.rules.iter().enumerate() {
            if self.rules.iter().take(at).any(|earlier| earlier.id == rule.id) {
                let message = "Rule ID must be unique. Found same ID for more than one rule";
                return Err(invalid(message));
            }
            rule.check()?;
        }
        Ok(self)
    }
}

impl Rule {
    fn check(&self) -> Result<()> {
        if self.id.chars().count() > 255 {
            return Err(invalid("ID length should not exceed allowed limit of 255"));
        }
        let acts = self.expiration.is_some()
            || self.noncurrent_expiration.is_some()
            || !self.transitions.is_empty()
            || !self.noncurrent_transitions.is_empty()
            || self.abort_uploads_after_days.is_some();
        if !acts {
            let message = "At least one action needs to be specified in a rule";
            return Err(S3Error::invalid_request(message));
        }
        self.check_filter()?;
        if let Some(Expiration::When(when)) = self.expiration {
            check_when(when, 1, "'Days' for Expiration action must be a positive integer")?;
        }
        if self.noncurrent_expiration.is_some_and(|expiration| expiration.days == 0) {
            let message = "'NoncurrentDays' for NoncurrentVersionExpiration action must be a positive integer";
            return Err(invalid(message));
        }
        if self.abort_uploads_after_days == Some(0) {
            return Err(invalid(
                "'DaysAfterInitiation' for AbortIncompleteMultipartUpload action must be a positive \
                 integer",
            ));
        }
        for transition in &self.transitions {
            check_when(transition.when, 0, "'Days' for Transition action must be nonnegative")?;
            let infrequent = matches!(
                transition.storage_class,
                StorageClass::StandardIa | StorageClass::OnezoneIa
            );
            if let (When::Days(days), true) =
                (transition.when, infrequent && days_below_30(transition.when))
            {
                let class = transition.storage_class.name();
                return Err(invalid_owned(format!(
                    "'Days' in Transition action must be greater than or equal to 30 for storageClass \
                     '{class}', not {days}"
                )));
            }
        }
        Ok(())
    }

    fn check_filter(&self) -> Result<()> {
        let Scope::Filter(filter) = &self.scope else { return Ok(()) };
        let marks = matches!(self.expiration, Some(Expiration::DeleteMarkers(_)));
        if !filter.tags.is_empty() && (marks || self.abort_uploads_after_days.is_some()) {
            let action =
                if marks { "ExpiredObjectDeleteMarker" } else { "AbortIncompleteMultipartUpload" };
            return Err(S3Error::invalid_request(format!(
                "{action} cannot be specified with Tags."
            )));
        }
        let count = usize::from(filter.prefix.is_some())
            + filter.tags.len()
            + usize::from(filter.larger_than.is_some())
            + usize::from(filter.smaller_than.is_some());
        if (filter.and && count < 2) || (!filter.and && count > 1) {
            return Err(S3Error::malformed_xml());
        }
        super::tags::check(&filter.tags, super::tags::OBJECT_TAGS)
    }
}

const fn days_below_30(when: When) -> bool {
    matches!(when, When::Days(days) if days < 30)
}

fn check_when(when: When, least: u64, message: &'static str) -> Result<()> {
    match when {
        When::Days(days) if days < least => Err(invalid(message)),
        When::Date(time) if time % 86_400 != 0 => Err(invalid("'Date' must be at midnight GMT")),
        _ => Ok(()),
    }
}

fn invalid(message: &'static str) -> S3Error {
    S3Error::new("InvalidArgument", message)
}

fn invalid_owned(message: String) -> S3Error {
    S3Error::new("InvalidArgument", message)
}
