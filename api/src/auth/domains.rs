//! The email domains whose people may sign in.

use std::str::FromStr;

/// Bare domains in lower case; where there are none, whoever the issuer vouches for may sign in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Domains(Vec<String>);

/// A text that is no list of domains.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a domain: write bare ones separated by commas, such as example.com,example.org")]
pub struct InvalidDomain(String);

impl FromStr for Domains {
    type Err = InvalidDomain;

    fn from_str(text: &str) -> Result<Self, InvalidDomain> {
        let parts = text.split(',').map(|part| part.trim().to_lowercase()).filter(|part| !part.is_empty());
        parts
            .map(|part| if is_bare(&part) { Ok(part) } else { Err(InvalidDomain(part)) })
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

impl Domains {
    /// Whether somebody with this email, in lower case, may sign in. A subdomain is a domain of its own.
    #[must_use]
    pub fn admit(&self, email: &str) -> bool {
        let domain = email.rsplit_once('@').map(|(_, domain)| domain);
        self.0.is_empty() || domain.is_some_and(|domain| self.0.iter().any(|allowed| allowed == domain))
    }
}

fn is_bare(text: &str) -> bool {
    let labels = text.split('.');
    let is_label = |label: &str| !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || c == '-');
    text.contains('.') && labels.into_iter().all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_domains_are_admitted() {
        let domains: Domains = " Example.com, example.org,".parse().unwrap();
        for (email, expected) in [
            ("a@example.com", true),
            ("\"b@evil.example\"@example.org", true),
            ("a@sub.example.com", false),
            ("a@evilexample.com", false),
            ("a@example.com.evil.example", false),
            ("a@example.com@evil.example", false),
            ("example.com", false),
        ] {
            assert_eq!(domains.admit(email), expected, "{email}");
        }
        assert!(Domains::default().admit("a@anywhere.example"));
    }

    #[test]
    fn what_is_no_bare_domain_is_refused() {
        for text in ["localhost", "@example.com", "https://example.com", "exa mple.com", "example..com", "example.com."]
        {
            assert!(text.parse::<Domains>().is_err(), "{text}");
        }
        assert_eq!("".parse::<Domains>().unwrap(), Domains::default());
    }
}
