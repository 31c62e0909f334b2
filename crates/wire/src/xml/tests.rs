use std::borrow::Cow;
use std::fmt::Write as _;

use polycloud_core::{ErrorKind, Result};
use proptest::prelude::*;

use super::*;

/// The events, one per line.
fn walk(mut reader: Reader<'_>) -> Result<String> {
    let mut seen = String::new();
    while let Some(event) = reader.next()? {
        match event {
            Event::Start(name) => writeln!(seen, "+{name}"),
            Event::Leaf(name, text) => writeln!(seen, "{name}={text}"),
            Event::End(name) => writeln!(seen, "-{name}"),
        }
        .unwrap();
    }
    Ok(seen)
}

fn events(document: &str) -> String {
    walk(Reader::new(document.as_bytes())).unwrap()
}

fn refusal(document: impl AsRef<[u8]>) -> String {
    let mut reader = Reader::new(document.as_ref());
    let error = loop {
        match reader.next() {
            Ok(Some(_)) => {}
            Ok(None) => panic!("accepted {:?}", String::from_utf8_lossy(document.as_ref())),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::InvalidResponse);
    assert!(reader.next().is_err(), "an error is not the end of the errors");
    error.message().to_owned()
}

#[test]
fn elements_are_started_ended_or_leaves() {
    let document = "\u{feff}<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
        <s:List xmlns:s=\"http://example.com/\" a='>'>\n  <Name>b</Name><!-- <no> -->\n \
        <Empty/><s:Blank> \n</s:Blank><Gone></Gone>\n<Item ><Key>k</Key ></Item></s:List>\n";
    assert_eq!(
        events(document),
        "+List\nName=b\nEmpty=\nBlank= \n\nGone=\n+Item\nKey=k\n-Item\n-List\n"
    );
    assert_eq!(events("<Region>eu</Region>"), "Region=eu\n");
    assert_eq!(events("<Region/>"), "Region=\n");
}

#[test]
fn text_is_unescaped_and_kept_as_it_is() {
    assert_eq!(
        events("<a> x &lt;&gt;&amp;&quot;&apos; &#10;&#x1F600;y</a>"),
        "a= x <>&\"' \n😀y\n"
    );
    assert_eq!(events("<a>one<!-- -->two<![CDATA[<b>&amp;]]>three</a>"), "a=onetwo<b>&amp;three\n");
    assert_eq!(events("<a>&#1;\u{2}</a>"), "a=\u{1}\u{2}\n");
}

#[test]
fn plain_text_is_not_copied() {
    let mut reader = Reader::new(b"<a>plain</a>");
    let event = reader.next().unwrap().unwrap();
    assert!(matches!(event, Event::Leaf("a", Cow::Borrowed("plain"))));
}

#[test]
fn what_is_not_well_formed_is_refused() {
    for document in [
        "",
        " ",
        "text",
        "<",
        "<a",
        "<a>",
        "<a><b>",
        "<a><b></a>",
        "<a></b>",
        "</a>",
        "<a/></a>",
        "<a/><b/>",
        "<a/>text",
        "text<a/>",
        "<a>text<b/></a>",
        "<a><b/>text</a>",
        "<a>&amp;<b/></a>",
        "<a><b/>&amp;</a>",
        "<a><b/><![CDATA[ ]]></a>",
        "<a>&</a>",
        "<a>& </a>",
        "<a>&lt</a>",
        "<>x</>",
        "<a b></a>",
        "<a b=></a>",
        "<a b=c></a>",
        "<a b='<'/>",
        "<a b='c></a>",
        "< a></a>",
        "<a></ a>",
        "<a></a b='c'>",
        "<1></1>",
        "<a<b></a<b>",
        "<a:></a:>",
        "<a><!-- </a>",
        "<a><![CDATA[ </a>",
        "<a/><",
        "<a/></",
        "<a/ >",
        "<a>&#;</a>",
        "<a>&#x;</a>",
        "<a>&#+65;</a>",
        "<a>&#xD800;</a>",
        "<a>&#x110000;</a>",
        "<a>&#99999999999;</a>",
        "<?xml version='1.0'",
        "<a/><?xml version='1.0'?>",
        " <?xml version='1.0'?><a/>",
        "\u{feff}\u{feff}<a/>",
    ] {
        refusal(document);
    }
    assert!(refusal(b"<a>\xff</a>").contains("UTF-8"));
    assert!(refusal("<?xml version='1.0' encoding='ISO-8859-1'?><a/>").contains("UTF-8"));
}

#[test]
fn what_makes_documents_dangerous_is_refused() {
    let laughs = "<!DOCTYPE l [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;&a;\">]><l>&b;</l>";
    assert!(refusal(laughs).contains("document type"));
    let external = "<!DOCTYPE l [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><l>&x;</l>";
    assert!(refusal(external).contains("document type"));
    assert!(
        refusal("<!DOCTYPE l SYSTEM 'http://example.com/l.dtd'><l/>").contains("document type")
    );
    assert!(refusal("<l>&x;</l>").contains("entity"));
    assert!(refusal("<l a='&x;'/>").contains("attribute"));
    assert!(refusal("<?xml-stylesheet href='x'?><l/>").contains("processing"));
}

#[test]
fn limits_hold_to_the_last_one() {
    let nested = |depth| format!("{}x{}", "<a>".repeat(depth), "</a>".repeat(depth));
    assert_eq!(events(&nested(64)).lines().count(), 127);
    assert!(refusal(nested(65)).contains("deeper"));

    let attributes = |count| {
        let list: String = (0..count).map(|n| format!(" a{n}='{n}'")).collect();
        format!("<a{list}/>")
    };
    assert_eq!(events(&attributes(64)), "a=\n");
    assert!(refusal(attributes(65)).contains("attributes"));

    let text = |size: usize| format!("<a>{}</a>", "x".repeat(size));
    assert_eq!(events(&text(1 << 20)).len(), (1 << 20) + 3);
    assert!(refusal(text((1 << 20) + 1)).contains("text longer"));
    let pieces = format!("<a>{}</a>", "&lt;".repeat((1 << 20) + 1));
    assert!(refusal(pieces).contains("text longer"));

    let limits = Limits { document: 8, ..Limits::default() };
    assert!(walk(Reader::with_limits(b"<a>x</a>", limits)).is_ok());
    let error = walk(Reader::with_limits(b"<a>xx</a>", limits)).unwrap_err();
    assert!(error.message().contains("larger"));
}

#[test]
fn skipping_ends_behind_the_element() {
    let document = b"<l><o><k>1</k><p><q>x</q></p></o><n>2</n><p><q/></p></l>";
    let mut reader = Reader::new(document);
    assert_eq!(reader.next().unwrap(), Some(Event::Start("l")));
    assert_eq!(reader.next().unwrap(), Some(Event::Start("o")));
    reader.skip().unwrap();
    assert_eq!(reader.next().unwrap(), Some(Event::Leaf("n", "2".into())));
    assert_eq!(reader.next().unwrap(), Some(Event::Start("p")));
    assert_eq!(reader.next().unwrap(), Some(Event::Leaf("q", "".into())));
    reader.skip().unwrap();
    assert_eq!(reader.next().unwrap(), Some(Event::End("l")));
    assert_eq!(reader.next().unwrap(), None);

    let mut broken = Reader::new(b"<l><o><k>1</k>");
    broken.next().unwrap();
    assert!(broken.skip().is_err());
}

#[test]
fn the_writer_refuses_what_xml_cannot_carry() {
    let mut writer = Writer::new();
    for text in ["\0", "a\u{1}", "\u{1f}", "\u{fffe}", "\u{ffff}"] {
        let error = writer.leaf("Key", text).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    }
    assert_eq!(writer.finish(), "");
}

/// Time per byte must not depend on the size: counts steps instead of seconds.
#[test]
fn a_large_hostile_document_takes_one_pass() {
    for (unit, tail) in
        [("<a b='", "'"), ("&", ";"), ("<!--", "--"), ("<![CDATA[", "]"), ("</", "x")]
    {
        let document = format!("<r>{}{}", unit.repeat(200_000), tail);
        let mut reader = Reader::new(document.as_bytes());
        let steps = (0..10).take_while(|_| matches!(reader.next(), Ok(Some(_)))).count();
        assert!(steps < 10, "{unit} goes on after {steps} steps");
    }
}

#[derive(Debug, Clone)]
enum Tree {
    Leaf(String, String),
    Node(String, Vec<Self>),
}

fn tree() -> impl Strategy<Value = Tree> {
    let name = "[A-Za-z_][A-Za-z0-9._-]{0,8}";
    let text = "[\\t\\n\\r -\u{d7ff}\u{e000}-\u{fffd}😀]{0,20}";
    let leaf = (name, text).prop_map(|(name, text)| Tree::Leaf(name, text));
    leaf.prop_recursive(5, 40, 6, move |inner| {
        (name, proptest::collection::vec(inner, 1..6))
            .prop_map(|(name, nodes)| Tree::Node(name, nodes))
    })
}

fn write_tree(tree: &Tree, writer: &mut Writer, events: &mut Vec<Event<'static>>) {
    let leak = |name: &str| -> &'static str { Box::leak(name.to_owned().into_boxed_str()) };
    match tree {
        Tree::Leaf(name, text) => {
            writer.leaf(name, text).unwrap();
            events.push(Event::Leaf(leak(name), text.clone().into()));
        }
        Tree::Node(name, nodes) => {
            writer.start(name);
            events.push(Event::Start(leak(name)));
            nodes.iter().for_each(|node| write_tree(node, writer, events));
            writer.end(name);
            events.push(Event::End(leak(name)));
        }
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(tree in tree()) {
        let (mut writer, mut written) = (Writer::new(), Vec::new());
        write_tree(&tree, &mut writer, &mut written);
        let document = writer.finish();
        let mut reader = Reader::new(document.as_bytes());
        for event in written {
            prop_assert_eq!(reader.next().unwrap(), Some(event));
        }
        prop_assert_eq!(reader.next().unwrap(), None);
    }

    #[test]
    fn any_bytes_end(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = walk(Reader::new(&bytes));
    }

    #[test]
    fn anything_like_xml_ends(document in "([<>/&;'\"=!?a:\\[\\]-]|<a>|</a>|<!--|-->|<!\\[CDATA\\[|\\]\\]>|&lt;|é){0,40}") {
        let _ = walk(Reader::new(document.as_bytes()));
    }

    #[test]
    fn a_document_that_is_cut_is_refused(tree in tree(), cut in any::<proptest::sample::Index>()) {
        let mut writer = Writer::new();
        write_tree(&tree, &mut writer, &mut Vec::new());
        let document = writer.finish();
        let (front, _) = document.as_bytes().split_at(cut.index(document.len()));
        prop_assert!(walk(Reader::new(front)).is_err());
    }
}
