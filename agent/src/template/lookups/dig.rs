//! The lookup `dig`: what name servers say.

use super::super::fault::{Fault, Res};
use super::super::val::{Dict, Val};
use super::{Look, Lookup};
use crate::value::Key;
use simple_dns::rdata::RData;
use simple_dns::{CLASS, Name, Packet, PacketFlag, QTYPE, Question, RCODE, ResourceRecord, TYPE};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub(super) static TABLE: &[Lookup] = &[Lookup::new(
    "dig",
    &[
        "qtype",
        "flat",
        "retry_servfail",
        "fail_on_error",
        "real_empty",
        "tcp",
        "class",
        "port",
    ],
    "What name servers say of a name: terms are names, `@SERVER`, `NAME/TYPE` and `option=value`.",
    dig,
)
.of("community.general")];

/// Types that can be asked for, by name.
const TYPES: &[(&str, TYPE)] = &[
    ("A", TYPE::A),
    ("AAAA", TYPE::AAAA),
    ("CAA", TYPE::CAA),
    ("CNAME", TYPE::CNAME),
    ("MX", TYPE::MX),
    ("NS", TYPE::NS),
    ("PTR", TYPE::PTR),
    ("SOA", TYPE::SOA),
    ("SRV", TYPE::SRV),
    ("TXT", TYPE::TXT),
];

/// What is asked, and how answers are given.
struct Wish {
    names: Vec<String>,
    servers: Vec<String>,
    kind: String,
    flat: bool,
    fail_on_error: bool,
    real_empty: bool,
    tcp: bool,
}

fn dig(l: &Look) -> Res<Vec<Val>> {
    let wish = wish(l)?;
    let mut out = Vec::new();
    for name in &wish.names {
        // A type behind a slash counts for the names after it, too, as in `community.general`.
        let (name, kind) = match name.split_once('/') {
            Some((name, kind)) if name.parse::<IpAddr>().is_err() => (name, kind.to_uppercase()),
            _ => (&**name, wish.kind.clone()),
        };
        answers(l, &wish, name, &kind, &mut out)?;
    }
    Ok(out)
}

fn wish(l: &Look) -> Res<Wish> {
    let mut wish = Wish {
        names: Vec::new(),
        servers: Vec::new(),
        kind: l.text_option("qtype", "A")?.to_uppercase(),
        flat: l.flag("flat", true)?,
        fail_on_error: l.flag("fail_on_error", false)?,
        real_empty: l.flag("real_empty", false)?,
        tcp: l.flag("tcp", false)?,
    };
    let port = l.number("port")?;
    for term in l.texts()? {
        let yes = |value: &str| matches!(&*value.to_lowercase(), "1" | "true" | "yes" | "on");
        match term.split_once('=') {
            _ if term.starts_with('@') => {
                let servers = term.trim_start_matches('@').split(',');
                wish.servers.extend(servers.map(|server| match port {
                    Some(port) if !server.contains(':') => format!("{server}:{port}"),
                    _ => server.to_string(),
                }));
            }
            Some(("qtype", kind)) => wish.kind = kind.to_uppercase(),
            Some(("flat", value)) => wish.flat = yes(value),
            Some(("fail_on_error", value)) => wish.fail_on_error = yes(value),
            Some(("real_empty", value)) => wish.real_empty = yes(value),
            Some(("tcp", value)) => wish.tcp = yes(value),
            Some(("retry_servfail" | "class", _)) => {}
            _ => wish.names.push(term),
        }
    }
    Ok(wish)
}

fn answers(l: &Look, wish: &Wish, name: &str, kind: &str, out: &mut Vec<Val>) -> Res<()> {
    let known = TYPES.iter().find(|(known, _)| *known == kind);
    let Some((_, type_)) = known else {
        let names: Vec<&str> = TYPES.iter().map(|(name, _)| *name).collect();
        return Err(
            Fault::error(format!("dns lookup illegal query type {kind}"))
                .hint(format!("known types: {}", names.join(", "))),
        );
    };
    let name = match name.parse() {
        Ok(address) if *type_ == TYPE::PTR => reverse(address),
        _ => name.trim_end_matches('.').to_string(),
    };
    let broken = |e| Fault::error(format!("dns lookup of {name} failed: {e}"));
    let mut question = Packet::new_query((l.ctx.outside().random() & 0xffff) as u16);
    question.set_flags(PacketFlag::RECURSION_DESIRED);
    let asked = Name::new(&name).map_err(broken)?;
    question.questions.push(Question::new(
        asked,
        QTYPE::TYPE(*type_),
        CLASS::IN.into(),
        false,
    ));
    let message = question.build_bytes_vec().map_err(broken)?;
    let bytes = match l
        .ctx
        .outside()
        .ask_name_servers(&wish.servers, &message, wish.tcp)
    {
        Ok(bytes) => bytes,
        Err(error) if wish.fail_on_error => return Err(error.into()),
        Err(_) => {
            nothing(wish, "", out);
            return Ok(());
        }
    };
    let answer = Packet::parse(&bytes).map_err(broken)?;
    let found: Vec<&ResourceRecord> = answer
        .answers
        .iter()
        .filter(|record| record.rdata.type_code() == *type_)
        .collect();
    match answer.rcode() {
        RCODE::NoError if found.is_empty() => nothing(wish, "", out),
        RCODE::NoError => out.extend(
            found
                .into_iter()
                .map(|record| shown(record, kind, wish.flat)),
        ),
        code if wish.fail_on_error => {
            return Err(Fault::error(format!(
                "dns lookup of {name} failed: {code:?}"
            )));
        }
        RCODE::NameError => nothing(wish, "NXDOMAIN", out),
        _ => nothing(wish, "", out),
    }
    Ok(())
}

/// Without an answer there is still an item, unless `real_empty` asks for none.
fn nothing(wish: &Wish, text: &str, out: &mut Vec<Val>) {
    if !wish.real_empty {
        out.push(Val::from(text));
    }
}

/// The name that belongs to an address (RFC 1035, section 3.5; RFC 3596, section 2.5).
fn reverse(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(v6) => {
            let hex: String = v6
                .octets()
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            let digits: Vec<String> = hex.chars().rev().map(|c| c.to_string()).collect();
            format!("{}.ip6.arpa", digits.join("."))
        }
    }
}

fn shown(record: &ResourceRecord, kind: &str, flat: bool) -> Val {
    let fields = fields(&record.rdata);
    if flat {
        let texts: Vec<&str> = fields.iter().map(|(_, text)| &**text).collect();
        return Val::from(texts.join(" "));
    }
    let mut map: Vec<(Key, Val)> = vec![
        (Key::from("owner"), Val::from(dotted(&record.name))),
        (Key::from("type"), Val::from(kind)),
        (Key::from("ttl"), Val::Int(record.ttl.into())),
    ];
    for (name, text) in fields {
        let number = text.parse::<i128>().map(Val::Int);
        map.push((Key::from(name), number.unwrap_or_else(|_| Val::from(text))));
    }
    Val::Map(Dict::new(map.into_iter().collect()))
}

/// The parts of an answer under dnspython's names, in the order in which they are written.
fn fields(data: &RData) -> Vec<(&'static str, String)> {
    match data {
        RData::A(a) => vec![("address", Ipv4Addr::from(a.address).to_string())],
        RData::AAAA(a) => vec![("address", Ipv6Addr::from(a.address).to_string())],
        RData::CNAME(name) => vec![("target", dotted(&name.0))],
        RData::NS(name) => vec![("target", dotted(&name.0))],
        RData::PTR(name) => vec![("target", dotted(&name.0))],
        RData::MX(mx) => vec![
            ("preference", mx.preference.to_string()),
            ("exchange", dotted(&mx.exchange)),
        ],
        RData::SRV(srv) => vec![
            ("priority", srv.priority.to_string()),
            ("weight", srv.weight.to_string()),
            ("port", srv.port.to_string()),
            ("target", dotted(&srv.target)),
        ],
        RData::SOA(soa) => vec![
            ("mname", dotted(&soa.mname)),
            ("rname", dotted(&soa.rname)),
            ("serial", soa.serial.to_string()),
            ("refresh", soa.refresh.to_string()),
            ("retry", soa.retry.to_string()),
            ("expire", soa.expire.to_string()),
            ("minimum", soa.minimum.to_string()),
        ],
        RData::CAA(caa) => vec![
            ("flags", caa.flag.to_string()),
            ("tag", caa.tag.to_string()),
            (
                "value",
                format!("\"{}\"", String::from_utf8_lossy(&caa.value)),
            ),
        ],
        RData::TXT(txt) => {
            let strings = txt.iter_raw().map(|(key, value)| {
                let mut bytes = key.to_vec();
                if let Some(value) = value {
                    bytes.push(b'=');
                    bytes.extend(value);
                }
                String::from_utf8_lossy(&bytes).into_owned()
            });
            // Several strings are written side by side in quotes, of which the outer ones go.
            vec![("strings", strings.collect::<Vec<_>>().join("\" \""))]
        }
        other => vec![("data", format!("{other:?}"))],
    }
}

fn dotted(name: &Name) -> String {
    format!("{name}.")
}
