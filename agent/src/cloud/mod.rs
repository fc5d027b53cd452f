//! AWS as a host needs it: who it is (the instance metadata service), credentials of its role, signed
//! calls. No SDK: a signature is a page of code, and the calls that a host makes are few.
//!
//! `imds` asks the metadata service, `credentials` finds who signs on a host and `operator` who does where
//! commands are typed, `sign` signs, `service` is the table of services and where they are, `call` is a
//! call as data, `answer` what came back, `client` brings them together. To add a service: a row in `service`.
//!
//! Everything is asked through a [`HostView`](crate::host::HostView), so check mode and tests are other
//! hosts here too. A module reads with [`Cloud::ask`], and changes with an [`Effect::Http`] of a request
//! that [`Cloud::sign`] made; [`judged`] tells what the answer to it means.
//!
//! [`Effect::Http`]: crate::host::Effect::Http

mod answer;
mod call;
mod client;
mod credentials;
mod encode;
mod imds;
mod instances;
mod operator;
pub mod service;
mod sign;
#[cfg(test)]
mod tests;
mod xml;

pub use answer::{Answer, Fault, code, is_denied, judged};
pub use call::Call;
pub use client::{Cloud, ca_bundle};
pub use credentials::{Credentials, credentials, seconds};
pub use encode::percent;
pub use imds::{Imds, likely};
pub use instances::{instances, regions};
pub use operator::{Operator, set_operator};
pub use service::Service;
pub use sign::{ALGORITHM, amz_date, signed, url_signed};
pub use xml::Element;
