use super::{S3, is};

fn with_keys(keys: &[&str]) -> S3 {
    let mut s3 = S3::new();
    for key in keys {
        s3.store(&format!("/bkt/{key}"), "x");
    }
    s3
}

#[test]
fn a_listing_shows_what_is_there() {
    let mut s3 = with_keys(&["a"]);
    let answer = s3.get("/bkt?list-type=2&fetch-owner=true").send();
    assert_eq!(answer.header("content-type"), Some("application/xml"));
    for (element, text) in [
        ("Name", "bkt"),
        ("KeyCount", "1"),
        ("MaxKeys", "1000"),
        ("IsTruncated", "false"),
        ("Key", "a"),
        ("LastModified", "2027-01-15T08:00:00.000Z"),
        ("ETag", "&quot;9dd4e461268c8034f5c8564e155c67a6&quot;"),
        ("Size", "1"),
        ("StorageClass", "STANDARD"),
        ("ID", "111122223333"),
    ] {
        assert_eq!(answer.text(element).as_deref(), Some(text), "{element}");
    }
    assert_eq!(s3.get("/bkt?list-type=2").send().text("Owner"), None);
    assert_eq!(s3.get("/none?list-type=2").send().error(), is(404, "NoSuchBucket"));
}

#[test]
fn order_prefix_and_delimiter() {
    let mut s3 = with_keys(&["b", "a/1", "a/2", "a", "%C3%BC", "a-b", "c/", "A", "%F0%9F%98%80"]);
    let list = |s3: &mut S3, query: &str| {
        let answer = s3.get(&format!("/bkt?list-type=2{query}")).send();
        let prefixes = answer.all("CommonPrefixes");
        let bare = |text: &String| text.replace("<Prefix>", "").replace("</Prefix>", "");
        (answer.all("Key"), prefixes.iter().map(bare).collect::<Vec<_>>())
    };
    assert_eq!(list(&mut s3, "").0, ["A", "a", "a-b", "a/1", "a/2", "b", "c/", "ü", "😀"]);
    let (keys, prefixes) = list(&mut s3, "&delimiter=%2F");
    assert_eq!(keys, ["A", "a", "a-b", "b", "ü", "😀"]);
    assert_eq!(prefixes, ["a/", "c/"]);
    assert_eq!(list(&mut s3, "&prefix=a%2F").0, ["a/1", "a/2"]);
    assert_eq!(
        list(&mut s3, "&prefix=a&delimiter=-b"),
        (vec!["a".into(), "a/1".into(), "a/2".into()], vec!["a-b".to_owned()])
    );
    assert_eq!(list(&mut s3, "&start-after=a%2F1&prefix=a").0, ["a/2"]);
    assert_eq!(list(&mut s3, "&start-after=a%2F1&delimiter=%2F").1, ["a/", "c/"]);
    assert_eq!(list(&mut s3, "&start-after=%C3%BC").0, ["😀"]);
    assert_eq!(list(&mut s3, "&start-after=z&prefix=a").0, Vec::<String>::new());
    let answer = s3.get("/bkt?marker=a%2F&delimiter=%2F").send();
    assert_eq!(answer.all("CommonPrefixes"), ["<Prefix>c/</Prefix>"]);
    s3.delete("/bkt/b").send();
    assert!(!list(&mut s3, "").0.contains(&"b".to_owned()));
}

#[test]
fn pages_of_both_versions() {
    let mut s3 = with_keys(&["a", "b/1", "b/2", "b/3", "c", "d/1", "e"]);
    for query in ["", "&delimiter=%2F"] {
        let whole = s3.get(&format!("/bkt?list-type=2{query}")).send();
        for size in 1..6 {
            let mut seen = (Vec::new(), Vec::new());
            let mut path = format!("/bkt?list-type=2&max-keys={size}{query}");
            loop {
                let page = s3.get(&path).send();
                seen.0.extend(page.all("Key"));
                seen.1.extend(page.all("CommonPrefixes"));
                let Some(token) = page.text("NextContinuationToken") else { break };
                assert_eq!(page.text("KeyCount").unwrap(), size.to_string());
                path =
                    format!("/bkt?list-type=2&max-keys={size}{query}&continuation-token={token}");
            }
            assert_eq!(seen, (whole.all("Key"), whole.all("CommonPrefixes")));

            let mut seen = (Vec::new(), Vec::new());
            let mut path = format!("/bkt?max-keys={size}{query}");
            loop {
                let page = s3.get(&path).send();
                seen.0.extend(page.all("Key"));
                seen.1.extend(page.all("CommonPrefixes"));
                if page.text("IsTruncated").unwrap() == "false" {
                    break;
                }
                let next = page.text("NextMarker");
                assert_eq!(next.is_some(), !query.is_empty());
                let next = next.unwrap_or_else(|| page.all("Key").last().unwrap().clone());
                path = format!("/bkt?max-keys={size}{query}&marker={}", next.replace('/', "%2F"));
            }
            assert_eq!(seen, (whole.all("Key"), whole.all("CommonPrefixes")));
        }
    }
}

#[test]
fn sizes_of_pages() {
    let mut s3 = with_keys(&["a", "b"]);
    let answer = s3.get("/bkt?list-type=2&max-keys=0").send();
    assert_eq!(
        (answer.all("Key").len(), answer.text("IsTruncated").unwrap()),
        (0, "false".to_owned())
    );
    assert_eq!(s3.get("/bkt?list-type=2&max-keys=5000").send().text("MaxKeys").unwrap(), "1000");
    for bad in [
        "max-keys=-1",
        "max-keys=x",
        "encoding-type=x",
        "continuation-token=x",
        "continuation-token=",
    ] {
        let answer = s3.get(&format!("/bkt?list-type=2&{bad}")).send();
        assert_eq!(answer.error(), is(400, "InvalidArgument"), "{bad}");
    }
}

#[test]
fn names_that_xml_cannot_carry() {
    let mut s3 = with_keys(&["a%01%26%3C%0D%0A", "b%20c%2Bd%2F%C3%BC"]);
    let plain = s3.get("/bkt?list-type=2").send();
    assert_eq!(plain.all("Key"), ["a&#x1;&amp;&lt;&#xd;&#xa;", "b c+d/ü"]);
    for query in ["list-type=2", "versions", "x"] {
        let answer =
            s3.get(&format!("/bkt?{query}&encoding-type=url&delimiter=%2F&prefix=")).send();
        assert_eq!(answer.text("EncodingType").unwrap(), "url");
        assert_eq!(answer.all("Key"), ["a%01%26%3C%0D%0A"]);
        assert_eq!(answer.all("CommonPrefixes"), ["<Prefix>b+c%2Bd/</Prefix>"]);
    }
}

#[test]
fn a_page_skips_what_it_groups() {
    let mut s3 = S3::new();
    for group in 0..30 {
        for key in 0..300 {
            s3.store(&format!("/bkt/{group:02}/{key}"), "");
        }
    }
    let answer = s3.get("/bkt?list-type=2&delimiter=%2F&max-keys=20").send();
    assert_eq!((answer.all("CommonPrefixes").len(), answer.all("Key").len()), (20, 0));
    let token = answer.text("NextContinuationToken").unwrap();
    let answer =
        s3.get(&format!("/bkt?list-type=2&delimiter=%2F&continuation-token={token}")).send();
    assert_eq!(answer.all("CommonPrefixes").len(), 10);
}
