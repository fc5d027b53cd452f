//! A call of a service, as data.

use super::service::Service;
use super::sign::form;
use std::time::Duration;

/// A call of a service, not signed yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    pub(super) service: &'static Service,
    /// What is asked, for messages (`DescribeTargetHealth`).
    pub(super) action: String,
    pub(super) method: &'static str,
    /// Before encoding.
    pub(super) path: String,
    pub(super) query: Vec<(String, String)>,
    pub(super) form: Vec<(String, String)>,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    /// The region; that of the host if not given.
    pub(super) region: Option<String>,
    /// The bucket, where it is a call of S3.
    pub(super) bucket: Option<String>,
    pub(super) timeout: Duration,
}

impl Call {
    fn new(service: &'static Service, action: &str, method: &'static str, path: String) -> Self {
        Self {
            service,
            action: action.to_owned(),
            method,
            path,
            query: Vec::new(),
            form: Vec::new(),
            headers: Vec::new(),
            body: Vec::new(),
            region: None,
            bucket: None,
            timeout: Duration::from_secs(20),
        }
    }

    /// A call of a Query API (EC2, ELB, Auto Scaling, STS); its answer is XML.
    #[must_use]
    pub fn query(service: &'static Service, action: &str) -> Self {
        let mut call = Self::new(service, action, "POST", "/".into());
        call.header_here(
            "content-type",
            "application/x-www-form-urlencoded; charset=utf-8",
        );
        call.param("Action", action).param("Version", service.words)
    }

    /// A call of a JSON API (Systems Manager, Secrets Manager).
    #[must_use]
    pub fn json(service: &'static Service, action: &str, body: &serde_json::Value) -> Self {
        let mut call = Self::new(service, action, "POST", "/".into());
        call.header_here("content-type", "application/x-amz-json-1.1");
        call.header_here("x-amz-target", &format!("{}.{action}", service.words));
        call.body = body.to_string().into_bytes();
        call
    }

    /// A call of a REST API (EFS).
    #[must_use]
    pub fn rest(service: &'static Service, action: &str, method: &'static str, path: &str) -> Self {
        Self::new(service, action, method, path.to_owned())
    }

    /// An object of S3: `GET` or `HEAD`.
    #[must_use]
    pub fn object(method: &'static str, bucket: &str, key: &str) -> Self {
        let action = if method == "HEAD" {
            "HeadObject"
        } else {
            "GetObject"
        };
        let path = format!("/{}", key.trim_start_matches('/'));
        let mut call = Self::new(&super::service::S3, action, method, path);
        call.bucket = Some(bucket.to_owned());
        call
    }

    /// What a bucket of S3 holds below a prefix (`ListObjectsV2`).
    #[must_use]
    pub fn objects(bucket: &str, prefix: &str, after: Option<&str>) -> Self {
        let mut call = Self::new(&super::service::S3, "ListObjectsV2", "GET", "/".into());
        call.bucket = Some(bucket.to_owned());
        let call = call.asked("list-type", "2").asked("prefix", prefix);
        match after {
            Some(token) => call.asked("continuation-token", token),
            None => call,
        }
    }

    /// With a parameter of a Query API.
    #[must_use]
    pub fn param(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.form.push((name.into(), value.into()));
        self.body = form(&self.form);
        self
    }

    /// With a list of a Query API (`InstanceIds.member.1=…`; EC2 leaves `member` out).
    #[must_use]
    pub fn list<S: AsRef<str>>(mut self, name: &str, values: impl IntoIterator<Item = S>) -> Self {
        let member = if self.service.name == "ec2" {
            ""
        } else {
            ".member"
        };
        for (i, value) in values.into_iter().enumerate() {
            self = self.param(format!("{name}{member}.{}", i + 1), value.as_ref());
        }
        self
    }

    /// With something behind the `?` of its URL.
    #[must_use]
    pub fn asked(mut self, name: &str, value: impl Into<String>) -> Self {
        self.query.push((name.to_owned(), value.into()));
        self
    }

    /// With a header, which is signed.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.header_here(name, &value.into());
        self
    }

    fn header_here(&mut self, name: &str, value: &str) {
        self.headers.push((name.to_owned(), value.to_owned()));
    }

    /// Its body.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// In another region than the host's.
    #[must_use]
    pub fn in_region(mut self, region: impl Into<String>) -> Self {
        self.region = Some(region.into());
        self
    }

    /// With another time-out than 20 s for the head of the answer and each pause in it.
    #[must_use]
    pub const fn within(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}
