use super::{S3, is};

const CRC32: (&str, &str) = ("x-amz-checksum-crc32", "y/Q5Jg==");
const BODY: &str = "123456789";

#[test]
fn checksums_are_verified_stored_and_returned() {
    let mut s3 = S3::new();
    for (name, value) in [
        CRC32,
        ("x-amz-checksum-crc32c", "4waSgw=="),
        ("x-amz-checksum-crc64nvme", "rosUhgp5mIg="),
        ("x-amz-checksum-sha1", "98O8HYCOBHMq32eZZczDTKeuNEE="),
        ("x-amz-checksum-sha256", "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU="),
    ] {
        let answer = s3.put("/bkt/k").header(name, value).body(BODY).send();
        assert_eq!((answer.status(), answer.header(name)), (200, Some(value)));
        let answer = s3.get("/bkt/k").header("x-amz-checksum-mode", "ENABLED").send();
        assert_eq!(answer.header(name), Some(value));
        assert_eq!(answer.header("x-amz-checksum-type"), Some("FULL_OBJECT"));
        assert_eq!(s3.get("/bkt/k").send().header(name), None);
        let part =
            s3.get("/bkt/k").header("x-amz-checksum-mode", "ENABLED").header("range", "bytes=0-1");
        assert_eq!(part.send().header(name), None);

        let answer = s3.put("/bkt/k").header(name, value).body("other").send();
        assert_eq!(answer.error(), is(400, "BadDigest"), "{name}");
        assert_eq!(s3.read("/bkt/k"), BODY);
        let answer = s3.put("/bkt/k").header(name, "nonsense").body(BODY).send();
        assert_eq!(answer.error(), is(400, "InvalidRequest"));
    }
}

#[test]
fn an_object_without_a_checksum_gets_one() {
    let mut s3 = S3::new();
    s3.store("/bkt/k", BODY);
    let answer = s3.head("/bkt/k").header("x-amz-checksum-mode", "ENABLED").send();
    assert_eq!(answer.header("x-amz-checksum-crc64nvme"), Some("rosUhgp5mIg="));
    let answer = s3.get("/bkt?list-type=2").send();
    assert_eq!(answer.text("ChecksumAlgorithm").unwrap(), "CRC64NVME");
}

#[test]
fn checksums_come_as_trailers_too() {
    let mut s3 = S3::new();
    let put = |s3: &mut S3, body: &'static str| {
        let call = s3.put("/bkt/k").header("x-amz-trailer", CRC32.0).trailer(CRC32.0, CRC32.1);
        call.header("x-amz-sdk-checksum-algorithm", "CRC32").body(body).send()
    };
    assert_eq!(put(&mut s3, BODY).header(CRC32.0), Some(CRC32.1));
    assert_eq!(put(&mut s3, "other").error(), is(400, "BadDigest"));
    let lost = s3.put("/bkt/k").header("x-amz-trailer", CRC32.0).body(BODY).send();
    assert_eq!(lost.error(), is(400, "MalformedTrailerError"));
}

#[test]
fn announced_checksums_have_to_come() {
    let mut s3 = S3::new();
    let name = "x-amz-sdk-checksum-algorithm";
    for value in ["CRC32", "SHA256", "ROT13"] {
        assert_eq!(s3.put("/bkt/k").header(name, value).send().error(), is(400, "InvalidRequest"));
    }
    let other = s3.put("/bkt/k").header(name, "SHA1").header(CRC32.0, CRC32.1).body(BODY).send();
    assert_eq!(other.error(), is(400, "InvalidRequest"));
    let two = s3.put("/bkt/k").header(CRC32.0, CRC32.1).header("x-amz-checksum-crc32c", "4waSgw==");
    assert_eq!(two.body(BODY).send().error(), is(400, "InvalidRequest"));
}

#[test]
fn md5_is_verified() {
    let mut s3 = S3::new();
    assert_eq!(s3.put("/bkt/k").body("x").md5().send().status(), 200);
    let wrong = s3.put("/bkt/k").header("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg==").body("x").send();
    assert_eq!(wrong.error(), is(400, "BadDigest"));
    let broken = s3.put("/bkt/k").header("content-md5", "x").body("x").send();
    assert_eq!(broken.error(), is(400, "InvalidDigest"));
}
