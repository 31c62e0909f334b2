use std::fmt;

use serde::de::{self, DeserializeOwned, DeserializeSeed, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::{Map, Value};

use crate::{Error, Result};

/// Names and values that configure a backend: the query of a URL, or the fields of a configuration
/// file.
///
/// [`read`](Self::read) turns them into the backend's own configuration. Text is taken for a number
/// or a truth value where one is needed, because a query has nothing but text.
///
/// ```
/// use polycloud::Address;
/// use serde::Deserialize;
///
/// #[derive(Deserialize)]
/// struct Mine {
///     retries: u32,
/// }
///
/// let mine: Mine = "mine:?retries=3".parse::<Address>()?.options().read()?;
/// assert_eq!(mine.retries, 3);
///
/// let error = "mine:?retires=3".parse::<Address>()?.options().read::<Mine>().err().unwrap();
/// assert!(error.to_string().contains("did you mean `retries`?"));
/// # Ok::<(), polycloud::Error>(())
/// ```
#[derive(Clone, PartialEq)]
pub struct Options {
    of: String,
    values: Map<String, Value>,
}

impl Options {
    pub(crate) fn new(of: impl Into<String>) -> Self {
        Self { of: of.into(), values: Map::new() }
    }

    pub(crate) fn from_map(of: impl Into<String>, values: Map<String, Value>) -> Self {
        Self { of: of.into(), values }
    }

    /// The same options of something with another name.
    pub(crate) fn of(self, of: impl Into<String>) -> Self {
        Self { of: of.into(), ..self }
    }

    /// Adds an option, such as the path of a URL.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config) if it is there already.
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Value>) -> Result<Self> {
        let name = name.into();
        match self.values.insert(name.clone(), value.into()) {
            None => Ok(self),
            Some(_) => Err(Error::config(format!("option `{name}` of {} is given twice", self.of))),
        }
    }

    /// Whether there is an option of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// Takes an option out, so that [`read`](Self::read) does not see it.
    pub(crate) fn take_text(&mut self, name: &str) -> Result<Option<String>> {
        match self.values.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Error::config(format!("option `{name}` of {} takes text", self.of))),
        }
    }

    /// Reads the options into a struct.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config): an option that the struct has no field for, a value that does
    /// not fit its field, or a missing one. The message names the option and what is known.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T> {
        T::deserialize(Fields(self.values.clone()))
            .map_err(|Problem(text)| Error::config(format!("{}: {text}", self.of)))
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.values.keys()).finish()
    }
}

/// The entry that is most like `text`, if one is like it at all.
pub(crate) fn nearest<'a>(text: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let tolerated = (text.chars().count() / 3).max(1);
    let distances = known.into_iter().map(|entry| (edits(text, entry), entry));
    distances.filter(|(distance, _)| *distance <= tolerated).min().map(|(_, entry)| entry)
}

/// How many insertions, removals and replacements of a character lead from one text to the other
/// (Levenshtein distance); two neighbours that changed places count as one.
fn edits(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let at = |row: &[usize], i: usize| row.get(i).copied().unwrap_or(usize::MAX);
    let mut before_last = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let replaced = at(&last, j) + usize::from(x != y);
            let shifted = at(&last, j + 1).min(at(&row, j)) + 1;
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(y) && b.get(j - 1) == Some(x);
            let swapped = if swapped { at(&before_last, j - 1) + 1 } else { usize::MAX };
            row.push(replaced.min(shifted).min(swapped));
        }
        before_last = std::mem::replace(&mut last, row);
    }
    at(&last, b.len())
}

/// `a, b and c`, each in backticks.
pub(crate) fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    match names.split_last() {
        None => "none".into(),
        Some((one, [])) => one.clone(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
    }
}

/// What is wrong with the options, in words.
#[derive(Debug)]
struct Problem(String);

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Problem {}

impl de::Error for Problem {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }

    // What was found may be a secret in the wrong field, so none of these repeats it.
    fn invalid_type(_found: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self(format!("it takes {expected}"))
    }

    fn invalid_value(_found: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self(format!("it takes {expected}"))
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self(unknown("it has no value", variant, "values", expected))
    }

    fn missing_field(field: &'static str) -> Self {
        Self(format!("option `{field}` is missing"))
    }
}

/// Says that there is no such name, which one may have been meant, and which ones there are.
pub(crate) fn unknown(what: &str, name: &str, names: &str, known: &[&str]) -> String {
    let near = nearest(name, known.iter().copied());
    let hint = near.map_or_else(String::new, |near| format!(" (did you mean `{near}`?)"));
    let known = listed(known.iter().copied());
    format!("{what} `{name}`{hint}; its {names} are {known}")
}

/// Reads a struct from names and values.
struct Fields(Map<String, Value>);

impl<'de> de::Deserializer<'de> for Fields {
    type Error = Problem;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        visitor.visit_map(Entries { rest: self.0.into_iter(), value: None })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Problem> {
        match self.0.keys().find(|name| !fields.contains(&name.as_str())) {
            Some(name) => Err(Problem(unknown("it has no option", name, "options", fields))),
            None => self.deserialize_any(visitor),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// Walks through names and values, and says of which option a problem is.
struct Entries {
    rest: serde_json::map::IntoIter,
    value: Option<(String, Value)>,
}

impl<'de> de::MapAccess<'de> for Entries {
    type Error = Problem;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Problem> {
        self.value = self.rest.next();
        let name = self.value.as_ref().map(|(name, _)| name.as_str());
        name.map(|name| seed.deserialize(name.into_deserializer())).transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Problem> {
        let (name, value) = self.value.take().unwrap_or_default();
        seed.deserialize(Lenient(value))
            .map_err(|Problem(text)| Problem(format!("option `{name}`: {text}")))
    }
}

/// A value whose text is read as another type where one is needed, as in the query of a URL.
struct Lenient(Value);

impl<'de> IntoDeserializer<'de, Problem> for Lenient {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

macro_rules! parsed {
    ($($method:ident: $type:ty => $visit:ident;)+) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
            match self.0.as_str().and_then(|text| text.parse::<$type>().ok()) {
                Some(value) => visitor.$visit(value),
                None => self.deserialize_any(visitor),
            }
        }
    )+};
}

impl<'de> de::Deserializer<'de> for Lenient {
    type Error = Problem;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(value),
            Value::String(text) => visitor.visit_string(text),
            Value::Number(number) => match (number.as_u64(), number.as_i64()) {
                (Some(number), _) => visitor.visit_u64(number),
                (None, Some(number)) => visitor.visit_i64(number),
                (None, None) => visitor.visit_f64(number.as_f64().unwrap_or(f64::NAN)),
            },
            Value::Array(values) => {
                let values = values.into_iter().map(Self);
                visitor.visit_seq(de::value::SeqDeserializer::new(values))
            }
            Value::Object(fields) => Fields(fields).deserialize_any(visitor),
        }
    }

    parsed! {
        deserialize_bool: bool => visit_bool;
        deserialize_i8: i64 => visit_i64;
        deserialize_i16: i64 => visit_i64;
        deserialize_i32: i64 => visit_i64;
        deserialize_i64: i64 => visit_i64;
        deserialize_u8: u64 => visit_u64;
        deserialize_u16: u64 => visit_u64;
        deserialize_u32: u64 => visit_u64;
        deserialize_u64: u64 => visit_u64;
        deserialize_f32: f64 => visit_f64;
        deserialize_f64: f64 => visit_f64;
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        match self.0 {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Problem> {
        match self.0 {
            Value::String(text) => {
                text.into_deserializer().deserialize_enum(name, variants, visitor)
            }
            _ => Err(Problem(format!("it takes one of {}", listed(variants.iter().copied())))),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Problem> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Problem> {
        match self.0 {
            Value::Object(values) => Fields(values).deserialize_struct(name, fields, visitor),
            _ => self.deserialize_any(visitor),
        }
    }

    forward_to_deserialize_any! {
        i128 u128 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map
        identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Address, ErrorKind};
    use serde::Deserialize;
    use serde_json::json;

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(default)]
    struct Wishes {
        on: bool,
        small: i8,
        large: u64,
        share: f64,
        text: String,
        perhaps: Option<u32>,
        colour: Colour,
        list: Vec<u8>,
        nested: Nested,
    }

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    enum Colour {
        #[default]
        Green,
        DarkBlue,
    }

    #[derive(Debug, Default, PartialEq, Deserialize)]
    struct Nested {
        depth: u32,
    }

    fn from_url(query: &str) -> Result<Wishes> {
        format!("x:?{query}").parse::<Address>()?.options().read()
    }

    fn from_json(value: Value) -> Result<Wishes> {
        let Value::Object(map) = value else { panic!("an object") };
        Options::from_map("x", map).read()
    }

    #[test]
    fn a_query_and_a_file_say_the_same() {
        let url = "on=true&small=-3&large=7&share=0.5&text=1&perhaps=2&colour=dark-blue";
        let file = json!({
            "on": true, "small": -3, "large": 7, "share": 0.5, "text": "1", "perhaps": 2,
            "colour": "dark-blue",
        });
        let wishes = from_url(url).unwrap();
        assert_eq!((wishes.on, wishes.small, wishes.large), (true, -3, 7));
        assert_eq!(
            (&*wishes.text, wishes.perhaps, &wishes.colour),
            ("1", Some(2), &Colour::DarkBlue)
        );
        assert_eq!(wishes, from_json(file).unwrap());
        assert_eq!(from_url("").unwrap(), Wishes::default());
        let more = json!({"list": [1, 2], "nested": {"depth": 3}, "perhaps": null});
        assert_eq!(from_json(more).unwrap().nested.depth, 3);
    }

    #[test]
    fn what_does_not_fit_is_named_without_its_value() {
        let rows = [
            ("on=hunter2", "option `on`: it takes a boolean"),
            ("small=hunter2", "option `small`: it takes i8"),
            ("small=300", "option `small`: it takes i8"),
            ("large=-1", "option `large`: it takes u64"),
            ("nested=hunter2", "option `nested`: it takes struct Nested"),
            (
                "colour=dark-bleu",
                "option `colour`: it has no value `dark-bleu` (did you mean \
             `dark-blue`?); its values are `green` and `dark-blue`",
            ),
            (
                "lareg=1",
                "x: it has no option `lareg` (did you mean `large`?); its options are `on`",
            ),
            ("qqq=1", "x: it has no option `qqq`; its options are `on`"),
        ];
        for (query, expected) in rows {
            let error = from_url(query).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.to_string().contains(expected), "{query}: {error}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
        let error = from_json(json!({"nested": {"dept": 3}})).unwrap_err();
        assert!(
            error.to_string().contains("option `nested`: it has no option `dept` (did"),
            "{error}"
        );
    }

    #[test]
    fn a_required_option_is_asked_for() {
        let error = Options::new("x").read::<Nested>().unwrap_err();
        assert_eq!(error.message(), "x: option `depth` is missing");
    }

    #[test]
    fn distances() {
        for (a, b, expected) in [
            ("", "", 0),
            ("a", "", 1),
            ("kitten", "sitting", 3),
            ("ab", "ba", 1),
            ("fsat", "fast", 1),
        ] {
            assert_eq!(edits(a, b), expected, "{a} {b}");
        }
        assert_eq!(nearest("durabilty", ["path", "durability"]), Some("durability"));
        assert_eq!(nearest("zzz", ["path", "durability"]), None);
    }
}
