//! `MaxResults` and `NextToken`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::call::Call;
use super::error::{Ec2Error, Result};
use super::xml::Xml;
use crate::auth::sha256_hex;

/// A page of a listing.
#[derive(Debug)]
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    next: Option<String>,
}

impl<T> Page<T> {
    /// Writes `nextToken`, if there is a next page.
    pub(crate) fn write_next(&self, xml: &mut Xml) {
        xml.optional("nextToken", self.next.as_deref());
    }
}

/// The page that a request asks for: without `MaxResults` all that is left. `key` is unique and gives the
/// order.
///
/// A token tells the last item of the page before it, and is good for the same request only.
pub(crate) fn page<T>(
    call: &Call<'_>,
    mut items: Vec<T>,
    key: impl Fn(&T) -> String,
    limits: std::ops::RangeInclusive<usize>,
) -> Result<Page<T>> {
    let size = match call.params.number::<usize>("MaxResults")? {
        None => usize::MAX,
        Some(size) if limits.contains(&size) => size,
        Some(size) => {
            let message = format!(
                "Value ( {size} ) for parameter maxResults is invalid. Expecting a value between {} \
                 and {}.",
                limits.start(),
                limits.end()
            );
            return Err(Ec2Error::invalid(message));
        }
    };
    items.sort_by_key(&key);
    if let Some(token) = call.params.text("NextToken") {
        let after = position(call, token)?;
        items.retain(|item| key(item) > after);
    }
    let more = items.len() > size;
    items.truncate(size);
    let next = items.last().filter(|_| more).map(|last| token(call, &key(last)));
    Ok(Page { items, next })
}

fn token(call: &Call<'_>, position: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("{}{position}", seal(call, position)))
}

fn position(call: &Call<'_>, token: &str) -> Result<String> {
    let wrong = || Ec2Error::new("InvalidNextToken", "The specified NextToken is not valid.");
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| wrong())?;
    let text = String::from_utf8(bytes).map_err(|_| wrong())?;
    let (sealed, position) = text.split_at_checked(16).ok_or_else(wrong)?;
    (sealed == seal(call, position)).then(|| position.to_owned()).ok_or_else(wrong)
}

fn seal(call: &Call<'_>, position: &str) -> String {
    let request = call.all.fingerprint(&["NextToken", "MaxResults", "Version"]);
    let mut digest = sha256_hex(format!("{position}\n{}\n{request}", call.account).as_bytes());
    digest.truncate(16);
    digest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ec2::call::testing::TestCall;

    #[test]
    fn pages_follow_each_other() {
        let mut seen = Vec::new();
        let mut token: Option<String> = None;
        loop {
            let mut test = TestCall::new("DescribeVolumes").with("MaxResults", "5");
            if let Some(token) = &token {
                test = test.with("NextToken", token);
            }
            let ids = (0..12).map(|number| format!("{number:02}")).collect();
            let page = page(&test.call(), ids, String::clone, 5..=1000).unwrap();
            seen.extend(page.items.clone());
            token = page.next;
            if token.is_none() {
                break;
            }
        }
        assert_eq!(seen, (0..12).map(|number| format!("{number:02}")).collect::<Vec<_>>());
    }

    #[test]
    fn tokens_and_sizes_are_checked() {
        let ids = || (0..12).map(|number| format!("{number:02}")).collect::<Vec<_>>();
        let first = TestCall::new("DescribeVolumes").with("MaxResults", "5");
        let token = page(&first.call(), ids(), String::clone, 5..=1000).unwrap().next.unwrap();
        let code = |test: TestCall| {
            page(&test.call(), ids(), String::clone, 5..=1000).unwrap_err().code.into_owned()
        };
        let other = TestCall::new("DescribeImages").with("NextToken", &token);
        assert_eq!(code(other), "InvalidNextToken");
        let made_up = TestCall::new("DescribeVolumes").with("NextToken", "made-up");
        assert_eq!(code(made_up), "InvalidNextToken");
        for size in ["4", "1001", "x"] {
            let test = TestCall::new("DescribeVolumes").with("MaxResults", size);
            assert_eq!(code(test), "InvalidParameterValue", "{size}");
        }
    }
}
