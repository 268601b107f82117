//! Keeps web pages of others away: one that its visitor opens must not be able to read the library through the browser.
//!
//! A page whose name was re-bound to our address still sends its own name as `Host`, and a page elsewhere that posts to
//! us sends itself as `Origin`.

use std::net::IpAddr;

use warp::http::uri::Authority;
use warp::http::{HeaderMap, HeaderValue};

/// The names under which pixdex answers, and the sites whose pages may ask.
#[derive(Debug)]
pub(super) struct Guard {
    hosts: Vec<String>,
    origins: Vec<String>,
}

/// A request that is not answered, with the reason.
#[derive(Debug)]
pub(super) struct Refused(pub(super) String);

impl Guard {
    pub(super) fn new(hosts: &[String], origins: &[String]) -> Guard {
        let lower = |texts: &[String]| texts.iter().map(|text| text.to_lowercase()).collect();
        Guard {
            hosts: lower(hosts),
            origins: lower(origins),
        }
    }

    /// Checks whether `path` is asked for by somebody who may, under the name that the browser asked for.
    pub(super) fn check(
        &self,
        host: Option<&str>,
        path: &str,
        headers: &HeaderMap,
    ) -> Result<(), Refused> {
        let text = |name: &str| Some(headers.get(name)?.to_str().unwrap_or("?"));
        let host = host.and_then(|host| host.parse::<Authority>().ok());
        let Some(host) = host else {
            return Err(Refused("the request names no host".to_owned()));
        };
        if !self.is_ours(host.host()) {
            let host = host.host();
            return Err(Refused(format!(
                "pixdex does not answer as `{host}`: add the name to http.hosts"
            )));
        }
        if self.origin_let_in(headers).is_some() {
            return Ok(());
        }
        let own_origin = |origin: &str| {
            origin
                .split_once("://")
                .is_some_and(|(_, origin)| origin == host.as_str())
        };
        match text("origin") {
            Some(origin) if !own_origin(origin) => Err(Refused(format!(
                "pages of `{origin}` may not ask pixdex, unless http.origins names it"
            ))),
            _ => check_site(path, text("sec-fetch-site"), text("sec-fetch-mode")),
        }
    }

    /// The site whose page asks, if the owner named it.
    pub(super) fn origin_let_in(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let origin = headers.get("origin")?;
        let text = origin.to_str().ok()?.to_lowercase();
        self.origins.contains(&text).then(|| origin.clone())
    }

    /// Addresses cannot be re-bound to another machine; names can, so only known ones count.
    fn is_ours(&self, host: &str) -> bool {
        let address = host.trim_start_matches('[').trim_end_matches(']');
        let host = host.to_lowercase();
        address.parse::<IpAddr>().is_ok() || host == "localhost" || self.hosts.contains(&host)
    }
}

/// Browsers say of every request whose page makes it, also of those that read nothing but would show whether an image is here.
/// From elsewhere one may come to the pages, and to nothing else.
fn check_site(path: &str, site: Option<&str>, mode: Option<&str>) -> Result<(), Refused> {
    let is_elsewhere = matches!(site, Some("cross-site" | "same-site"));
    let is_visit = ["/", "/login"].contains(&path) && mode == Some("navigate");
    if is_elsewhere && !is_visit {
        let reason = "pages of other sites may not ask pixdex";
        return Err(Refused(reason.to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_let_in(host: &str, origin: Option<&str>) -> bool {
        let [hosts, origins] = ["Photos.example", "https://Home.example:8123"];
        let guard = Guard::new(&[hosts.to_owned()], &[origins.to_owned()]);
        let mut headers = HeaderMap::new();
        if let Some(origin) = origin {
            headers.insert("origin", HeaderValue::from_str(origin).unwrap());
        }
        guard.check(Some(host), "/", &headers).is_ok()
    }

    #[test]
    fn only_own_names_are_answered() {
        for host in [
            "127.0.0.1:7878",
            "[::1]:7878",
            "localhost:7878",
            "photos.example",
        ] {
            assert!(is_let_in(host, None), "{host}");
        }
        assert!(!is_let_in("evil.example:7878", None));
        assert!(
            Guard::new(&[], &[])
                .check(None, "/", &HeaderMap::new())
                .is_err()
        );
    }

    #[test]
    fn from_other_sites_one_comes_to_the_page_alone() {
        let is_let_in = |path, site, mode| check_site(path, site, mode).is_ok();
        assert!(is_let_in("/api/v1/tags", None, None));
        assert!(is_let_in("/api/v1/tags", Some("same-origin"), Some("cors")));
        assert!(is_let_in("/api/v1/tags", Some("none"), Some("navigate")));
        assert!(is_let_in("/", Some("cross-site"), Some("navigate")));
        for (path, site, mode) in [
            ("/", "cross-site", "no-cors"),
            ("/api/v1/images/00/thumbnail", "cross-site", "no-cors"),
            ("/api/v1/images/00", "cross-site", "navigate"),
            ("/ui/0/main.js", "same-site", "no-cors"),
        ] {
            assert!(
                !is_let_in(path, Some(site), Some(mode)),
                "{path} {site} {mode}"
            );
        }
    }

    #[test]
    fn only_own_pages_may_ask() {
        assert!(is_let_in("localhost:7878", Some("http://localhost:7878")));
        assert!(!is_let_in("localhost:7878", Some("http://localhost:8080")));
        assert!(!is_let_in("localhost:7878", Some("https://evil.example")));
        assert!(!is_let_in("localhost:7878", Some("null")));
        assert!(is_let_in(
            "localhost:7878",
            Some("https://home.example:8123")
        ));
        assert!(!is_let_in(
            "localhost:7878",
            Some("http://home.example:8123")
        ));
        assert!(!is_let_in(
            "evil.example",
            Some("https://home.example:8123")
        ));
    }
}
