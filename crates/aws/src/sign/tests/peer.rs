//! The same signatures as the signer of the AWS SDK.

use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation,
    SigningSettings, UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4::SigningParams;
use polycloud_wire::encode;
use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
struct Example {
    method: &'static str,
    url: String,
    headers: Vec<(String, String)>,
    token: String,
    seconds: u64,
    region: String,
    secret: String,
}

fn pairs() -> impl Strategy<Value = Vec<(String, String)>> {
    proptest::collection::vec(("[a-zA-Z0-9 ~/+&=%ü-]{1,8}", "[ -~ü☺]{0,10}"), 0..6)
}

fn headers() -> impl Strategy<Value = Vec<(String, String)>> {
    let name = prop_oneof![
        "x-amz-meta-[a-z0-9-]{1,12}",
        "x-amz-[a-z]{1,4}",
        Just("content-type".to_owned()),
        Just("content-md5".to_owned()),
    ];
    // One value for a name, since peers sort those of the same name differently.
    proptest::collection::btree_map(name, "[ -~]{0,24}", 0..40)
        .prop_map(|headers| headers.into_iter().collect())
}

prop_compose! {
    fn example()(
        method in prop_oneof![Just("GET"), Just("PUT"), Just("POST"), Just("DELETE"), Just("HEAD")],
        host in "[a-z]{1,10}\\.example\\.com(:[1-9][0-9]{2,3})?",
        key in "[ -~ü☺/.]{0,30}",
        query in pairs(),
        headers in headers(),
        token in "([A-Za-z0-9+/=]{20,40})?",
        seconds in 0..4_102_444_800u64,
        region in "[a-z]{2}-[a-z]{4,9}-[1-9]",
        secret in "[!-~]{1,80}",
    ) -> Example {
        let mut url = format!("https://{host}/");
        encode::path(&key, &mut url);
        if !query.is_empty() {
            url.push('?');
            let pairs: Vec<_> = query.iter().map(|(name, value)| (&**name, &**value)).collect();
            encode::query(&pairs, &mut url);
        }
        Example { method, url, headers, token, seconds, region, secret }
    }
}

impl Example {
    fn time(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(self.seconds)
    }

    /// The signature that the SDK makes.
    fn expected(&self, expires_in: Option<Duration>) -> String {
        let token = (!self.token.is_empty()).then(|| self.token.clone());
        let identity =
            aws_credential_types::Credentials::new("AKID", &self.secret, token, None, "test")
                .into();
        let mut settings = SigningSettings::default();
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        match expires_in {
            Some(_) => settings.signature_location = SignatureLocation::QueryParams,
            None => settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256,
        }
        settings.expires_in = expires_in;
        let params = SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("s3")
            .time(self.time())
            .settings(settings)
            .build()
            .unwrap()
            .into();
        let headers = self.headers.iter().map(|(name, value)| (&**name, &**value));
        let body = SignableBody::UnsignedPayload;
        let request = SignableRequest::new(self.method, &self.url, headers, body).unwrap();
        sign(request, &params).unwrap().into_parts().1
    }

    fn headers(&self) -> HeaderMap {
        let entries = self.headers.iter().map(|(name, value)| {
            (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap())
        });
        entries.collect()
    }
}

proptest! {
    #[test]
    fn in_headers(example in example()) {
        let signer = SigV4::new(&example.region, "s3");
        let mut request = request(example.method, &example.url);
        *request.headers_mut() = example.headers();
        let credentials = credentials("AKID", &example.secret, &example.token);
        signer.sign(&mut request, &credentials, example.time()).unwrap();
        prop_assert_eq!(signature(&request), example.expected(None));
    }

    #[test]
    fn in_the_query(example in example(), expires in 1..604_800u64) {
        let signer = SigV4::new(&example.region, "s3");
        let expires = Duration::from_secs(expires);
        let credentials = credentials("AKID", &example.secret, &example.token);
        let url = signer.presign(
            &example.method.parse().unwrap(),
            &example.url.parse().unwrap(),
            &example.headers(),
            expires,
            &credentials,
            example.time(),
        ).unwrap();
        let (_, signature) = url.split_once("&X-Amz-Signature=").unwrap();
        prop_assert_eq!(signature, example.expected(Some(expires)));
    }
}
