mod asking;
mod signatures;

use crate::host::{FakeHost, Response};

/// A moment at which tests take place.
const NOW: f64 = 1_440_938_160.0;
const IMDS: &str = "http://169.254.169.254/latest";

/// An instance of EC2 with a role, whose credentials expire at a time.
fn instance(expires: &str) -> FakeHost {
    let creds = format!(
        r#"{{"Code":"Success","AccessKeyId":"ASIAEXAMPLE","SecretAccessKey":"s3cret","Token":"t0ken","Expiration":"{expires}"}}"#
    );
    let roles = format!("{IMDS}/meta-data/iam/security-credentials/");
    FakeHost::new()
        .with_now(NOW)
        .serving_response("PUT", &format!("{IMDS}/api/token"), answer(200, "TOKEN"))
        .serving_response("GET", &roles, answer(200, "worker"))
        .serving_response("GET", &format!("{roles}worker"), answer(200, &creds))
        .serving_response(
            "GET",
            &format!("{IMDS}/meta-data/placement/region"),
            answer(200, "eu-west-1"),
        )
}

fn answer(status: u16, body: &str) -> Response {
    Response {
        status,
        body: body.as_bytes().to_vec(),
        ..Response::default()
    }
}
