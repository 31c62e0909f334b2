//! Rules for tags.

use super::error::{Result, S3Error};
use super::object::Tag;

pub(crate) const OBJECT_TAGS: usize = 10;
pub(crate) const BUCKET_TAGS: usize = 50;

/// Checks the tags of an object or of a bucket.
pub(crate) fn check(tags: &[Tag], limit: usize) -> Result<()> {
    if tags.len() > limit {
        let what = if limit == BUCKET_TAGS { "Bucket" } else { "Object" };
        let message = format!("{what} tags cannot be greater than {limit}");
        return Err(S3Error::new("BadRequest", message));
    }
    for (at, (key, value)) in tags.iter().enumerate() {
        check_text(key, 1..=128, "TagKey")?;
        check_text(value, 0..=256, "TagValue")?;
        if key.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws:")) {
            let message = "Your TagKey cannot be prefixed with aws:";
            return Err(S3Error::new("InvalidTag", message).with("TagKey", key));
        }
        if tags.iter().take(at).any(|(earlier, _)| earlier == key) {
            let message = "Cannot provide multiple Tags with the same key";
            return Err(S3Error::new("InvalidTag", message).with("TagKey", key));
        }
    }
    Ok(())
}

fn check_text(
    text: &str,
    length: std::ops::RangeInclusive<usize>,
    what: &'static str,
) -> Result<()> {
    let legal = |c: char| c.is_alphanumeric() || c.is_whitespace() || "+-=._:/@".contains(c);
    if length.contains(&text.chars().count()) && text.chars().all(legal) {
        return Ok(());
    }
    let message = format!("The {what} you have provided is invalid");
    Err(S3Error::new("InvalidTag", message).with(what, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(tags: &[(&str, &str)], limit: usize) -> Result<(), &'static str> {
        let tags = tags.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect::<Vec<_>>();
        check(&tags, limit).map_err(|error| error.code)
    }

    #[test]
    fn bad_tags_are_refused() {
        assert_eq!(code(&[("a", ""), ("Grüße", "a b+-=._:/@")], 10), Ok(()));
        assert_eq!(code(&[("a", ""), ("a", "x")], 10), Err("InvalidTag"));
        assert_eq!(code(&[("", "x")], 10), Err("InvalidTag"));
        assert_eq!(code(&[("a", "?")], 10), Err("InvalidTag"));
        assert_eq!(code(&[("AWS:a", "")], 10), Err("InvalidTag"));
        assert_eq!(code(&[(&"k".repeat(129), "")], 10), Err("InvalidTag"));
        assert_eq!(code(&[("k", &"v".repeat(257))], 10), Err("InvalidTag"));
        assert_eq!(code(&[("a", ""), ("b", ""), ("c", "")], 2), Err("BadRequest"));
    }
}
