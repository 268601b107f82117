//! Who asks: where from, and through which proxies (RFC 7239, and what proxies said before it).
//!
//! Anybody can say anything in a header. Only what a proxy says that the owner named is believed, and what says that it came through any
//! other is of nobody known, wherever that proxy stands. A proxy on this machine that adds no header cannot be told from a user of it.

use std::net::{IpAddr, SocketAddr};

use warp::http::HeaderMap;

use super::guard::Refused;
use crate::config::Network;

/// More proxies are not asked through.
const MOST_PROXIES: usize = 32;

/// Who is at the other end of a connection: an address, or none where it is a Unix socket, which only its owner can open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Peer(pub(super) Option<IpAddr>);

impl Peer {
    pub(super) fn is_local(self) -> bool {
        self.0
            .is_none_or(|address| address.to_canonical().is_loopback())
    }
}

/// Who asks, as far as that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asker {
    /// Of whoever asks, or of the last that is known on the way.
    pub(super) peer: Peer,
    /// Whether that is this machine.
    pub(super) is_local: bool,
    /// Whether the browser asks over TLS.
    pub(super) is_https: bool,
    /// The name that the browser asks for.
    pub(super) host: Option<String>,
}

impl Asker {
    pub(super) fn of(
        peer: Peer,
        headers: &HeaderMap,
        trusted: &[Network],
    ) -> Result<Asker, Refused> {
        let text = |name| Some(headers.get(name)?.to_str().unwrap_or("?"));
        let host = text("host").map(str::to_owned);
        let is_trusted = |address: IpAddr| {
            let address = address.to_canonical();
            trusted.iter().any(|network| network.holds(address))
        };
        let is_of_proxy = peer.0.is_some_and(is_trusted);
        let is_passed_on = ["forwarded", "x-forwarded-for", "x-real-ip", "via"]
            .iter()
            .any(|name| headers.contains_key(*name));
        let straight = Asker {
            peer,
            is_local: peer.is_local() && !is_passed_on && !is_of_proxy,
            is_https: false,
            host,
        };
        if !is_of_proxy {
            return Ok(straight);
        }
        let way = match (said(headers, "forwarded"), said(headers, "x-forwarded-for")) {
            (Some(_), Some(_)) => {
                let reason = "the proxy passes on both Forwarded and X-Forwarded-For: let it drop the one that it does not write";
                return Err(Refused(reason.to_owned()));
            }
            (Some(forwarded), None) => {
                let elements = split(&forwarded, ',').into_iter();
                elements.map(Step::of_forwarded).collect()
            }
            (None, Some(addresses)) => {
                let (host, proto) = (
                    last(headers, "x-forwarded-host"),
                    last(headers, "x-forwarded-proto"),
                );
                let steps = addresses.split(',').map(|address| Step {
                    address: read_address(address),
                    host: host.clone(),
                    is_https: proto.as_deref() == Some("https"),
                });
                steps.collect()
            }
            (None, None) => Vec::new(),
        };
        if way.len() > MOST_PROXIES {
            return Err(Refused(format!(
                "the request came through more than {MOST_PROXIES} proxies"
            )));
        }
        Ok(straight.at_start_of(&way, is_trusted))
    }

    /// The last on the way that is no proxy of ours: whatever stands before it, anybody may have written.
    fn at_start_of(self, way: &[Step], is_trusted: impl Fn(IpAddr) -> bool) -> Asker {
        let is_proxy = |step: &&Step| step.address.is_some_and(&is_trusted);
        let first = way.iter().rev().find(|step| !is_proxy(step));
        let Some(step) = first.or(way.first()) else {
            return self;
        };
        let host = step.host.clone();
        Asker {
            is_local: step
                .address
                .is_some_and(|address| Peer(Some(address)).is_local()),
            peer: step
                .address
                .map_or(self.peer, |address| Peer(Some(address))),
            is_https: step.is_https,
            host: host.or(self.host),
        }
    }
}

/// What one proxy says of whoever asked it.
#[derive(Debug, Default)]
struct Step {
    /// None where it does not know, or does not tell.
    address: Option<IpAddr>,
    host: Option<String>,
    is_https: bool,
}

impl Step {
    fn of_forwarded(element: &str) -> Step {
        let mut step = Step::default();
        for pair in split(element, ';') {
            let Some((name, value)) = pair.split_once('=') else {
                continue;
            };
            let value = value.trim().trim_matches('"');
            match name.trim().to_ascii_lowercase().as_str() {
                "for" => step.address = read_address(value),
                "host" => step.host = Some(value.to_owned()),
                "proto" => step.is_https = value.eq_ignore_ascii_case("https"),
                _ => {}
            }
        }
        step
    }
}

/// All that stands in headers of this name, which count as one.
fn said(headers: &HeaderMap, name: &str) -> Option<String> {
    let values = headers.get_all(name).into_iter();
    let texts: Vec<&str> = values.map(|value| value.to_str().unwrap_or("?")).collect();
    (!texts.is_empty()).then(|| texts.join(","))
}

/// What the nearest proxy wrote.
fn last(headers: &HeaderMap, name: &str) -> Option<String> {
    let text = said(headers, name)?;
    Some(text.rsplit(',').next()?.trim().to_owned())
}

/// Parts of a text, which a separator between quotes does not part.
fn split(text: &str, separator: char) -> Vec<&str> {
    let mut is_quoted = false;
    text.split(|c: char| {
        is_quoted ^= c == '"';
        c == separator && !is_quoted
    })
    .collect()
}

/// With a port or without one.
fn read_address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text.trim_start_matches('[').trim_end_matches(']').parse();
    let with_port = || text.parse::<SocketAddr>().map(|address| address.ip());
    bare.or_else(|_| with_port()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    use warp::http::{HeaderName, HeaderValue};

    const PROXY: &str = "127.0.0.1";

    fn network(text: &str) -> Network {
        text.to_owned().try_into().unwrap()
    }

    fn asker(peer: &str, said: &[(&str, &str)]) -> Result<Asker, Refused> {
        let mut headers = HeaderMap::new();
        for (name, value) in said {
            let name: HeaderName = name.parse().unwrap();
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        let trusted = [network(PROXY), network("10.0.0.0/8")];
        Asker::of(Peer(Some(peer.parse().unwrap())), &headers, &trusted)
    }

    fn address(peer: &str, said: &[(&str, &str)]) -> (String, bool) {
        let asker = asker(peer, said).unwrap();
        (asker.peer.0.unwrap().to_string(), asker.is_local)
    }

    #[test]
    fn what_a_trusted_proxy_says_is_believed_and_what_others_wrote_before_it_is_not() {
        let there = |address: &str| (address.to_owned(), false);
        for (said, expected) in [
            (("x-forwarded-for", "203.0.113.9"), there("203.0.113.9")),
            (
                ("x-forwarded-for", "127.0.0.1, 203.0.113.9"),
                there("203.0.113.9"),
            ),
            (
                ("x-forwarded-for", "203.0.113.9, 10.1.1.1"),
                there("203.0.113.9"),
            ),
            (
                ("x-forwarded-for", "[2001:db8::1]:4711"),
                there("2001:db8::1"),
            ),
            (("x-forwarded-for", "203.0.113.9:80"), there("203.0.113.9")),
            (("x-forwarded-for", "127.0.0.1, who?"), there(PROXY)),
            (("x-forwarded-for", ""), there(PROXY)),
            (
                ("forwarded", "for=\"[2001:db8::1]:4711\";proto=https"),
                there("2001:db8::1"),
            ),
            (
                ("forwarded", "for=127.0.0.1, FOR=203.0.113.9;by=_x"),
                there("203.0.113.9"),
            ),
            (("forwarded", "for=\"a,for=127.0.0.1;b\""), there(PROXY)),
            (("forwarded", "for=unknown"), there(PROXY)),
            (("forwarded", "nothing"), there(PROXY)),
            (("via", "1.1 elsewhere"), there(PROXY)),
        ] {
            assert_eq!(address(PROXY, &[said]), expected, "{said:?}");
        }
        // Who asks on the machine of the proxy; a proxy that says nothing.
        let here = (PROXY.to_owned(), true);
        assert_eq!(address(PROXY, &[("x-forwarded-for", PROXY)]), here);
        assert_eq!(address(PROXY, &[]), there(PROXY));
        let lines = [
            ("x-forwarded-for", PROXY),
            ("x-forwarded-for", "203.0.113.9"),
        ];
        assert_eq!(address(PROXY, &lines), there("203.0.113.9"));
    }

    #[test]
    fn nobody_else_is_believed() {
        let spoofed = [("x-forwarded-for", PROXY), ("x-forwarded-host", "x")];
        let elsewhere = asker("203.0.113.9", &spoofed).unwrap();
        assert_eq!((elsewhere.is_local, elsewhere.host), (false, None));
        // A proxy on this machine that nobody named passes on requests from anywhere.
        for name in ["x-forwarded-for", "forwarded", "x-real-ip", "via"] {
            assert!(!asker("::1", &[(name, "::1")]).unwrap().is_local, "{name}");
        }
        assert!(asker("::1", &[]).unwrap().is_local);
        assert!(asker("::ffff:127.0.0.1", &[]).is_ok_and(|asker| !asker.is_local));
    }

    #[test]
    fn two_ways_to_say_it_are_one_too_many() {
        let both = [
            ("forwarded", "for=127.0.0.1"),
            ("x-forwarded-for", "203.0.113.9"),
        ];
        assert!(asker(PROXY, &both).is_err());
        let long = vec!["10.0.0.1"; MOST_PROXIES + 1].join(",");
        assert!(asker(PROXY, &[("x-forwarded-for", &long)]).is_err());
    }

    #[test]
    fn host_and_scheme_are_those_of_the_browser() {
        let said = [
            ("host", "127.0.0.1:7878"),
            ("x-forwarded-for", "203.0.113.9"),
            ("x-forwarded-host", "evil.example, photos.example"),
            ("x-forwarded-proto", "https"),
        ];
        let through = asker(PROXY, &said).unwrap();
        assert!(through.is_https);
        assert_eq!(through.host.as_deref(), Some("photos.example"));
        let said = [(
            "forwarded",
            "for=203.0.113.9;host=\"photos.example\";proto=HTTPS",
        )];
        let through = asker(PROXY, &said).unwrap();
        assert_eq!(
            (through.is_https, through.host.as_deref()),
            (true, Some("photos.example"))
        );
    }
}
