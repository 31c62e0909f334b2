//! Answers of EC2: the elements within the root.

use std::fmt::{self, Display};
use std::time::SystemTime;

use super::time;
use crate::faults::escape;

/// Elements one after the other.
#[derive(Debug, Clone, Default)]
pub(crate) struct Xml(String);

impl Xml {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// The answer of requests that only succeed: `<return>true</return>`.
    pub(crate) fn success() -> Self {
        let mut xml = Self::new();
        xml.value("return", true);
        xml
    }

    /// `<name>text</name>`, escaped.
    pub(crate) fn text(&mut self, name: &str, text: &str) -> &mut Self {
        self.raw(name, &escape(text))
    }

    /// The same if there is a text.
    pub(crate) fn optional(&mut self, name: &str, text: Option<&str>) -> &mut Self {
        if let Some(text) = text {
            self.text(name, text);
        }
        self
    }

    /// A number or a truth value.
    pub(crate) fn value(&mut self, name: &str, value: impl Display) -> &mut Self {
        self.text(name, &value.to_string())
    }

    /// The same if there is one.
    pub(crate) fn optional_value(&mut self, name: &str, value: Option<impl Display>) -> &mut Self {
        if let Some(value) = value {
            self.value(name, value);
        }
        self
    }

    /// `2026-01-31T23:59:59.000Z`.
    pub(crate) fn time(&mut self, name: &str, time: SystemTime) -> &mut Self {
        self.raw(name, &time::text(time))
    }

    /// An element with elements in it.
    pub(crate) fn element(&mut self, name: &str, content: impl FnOnce(&mut Self)) -> &mut Self {
        self.0.push('<');
        self.0.push_str(name);
        self.0.push('>');
        content(self);
        self.0.push_str("</");
        self.0.push_str(name);
        self.0.push('>');
        self
    }

    /// A list: each of `items` becomes an `item` within the element.
    pub(crate) fn list<T>(
        &mut self,
        name: &str,
        items: impl IntoIterator<Item = T>,
        mut content: impl FnMut(&mut Self, T),
    ) -> &mut Self {
        self.element(name, |xml| {
            for item in items {
                xml.element("item", |xml| content(xml, item));
            }
        })
    }

    /// A list of texts.
    pub(crate) fn texts<T: AsRef<str>>(
        &mut self,
        name: &str,
        items: impl IntoIterator<Item = T>,
    ) -> &mut Self {
        self.element(name, |xml| {
            for item in items {
                xml.text("item", item.as_ref());
            }
        })
    }

    fn raw(&mut self, name: &str, text: &str) -> &mut Self {
        self.element(name, |xml| xml.0.push_str(text))
    }

    /// The whole document of an answer.
    pub(crate) fn document(&self, action: &str, request: &str) -> String {
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{action}Response \
             xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><requestId>{request}</requestId>{}\
             </{action}Response>",
            self.0
        )
    }
}

impl Display for Xml {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_lists_and_escapes() {
        let mut xml = Xml::new();
        xml.text("a", "<&>").value("b", 5).optional("c", None);
        xml.list("set", ["x", "y"], |xml, item| {
            xml.text("name", item);
        });
        xml.texts("ids", ["1"]).time("t", SystemTime::UNIX_EPOCH);
        assert_eq!(
            xml.to_string(),
            "<a>&lt;&amp;&gt;</a><b>5</b><set><item><name>x</name></item><item><name>y</name></item>\
             </set><ids><item>1</item></ids><t>1970-01-01T00:00:00.000Z</t>"
        );
        assert!(Xml::success().document("X", "r").contains("<return>true</return></XResponse>"));
    }
}
