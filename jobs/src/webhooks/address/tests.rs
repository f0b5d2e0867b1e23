use super::*;

fn read(text: &str, allowed: &str) -> Result<Url, InvalidUrl> {
    parse(text, &allowed.parse().unwrap())
}

/// Every way to write an IP address that a client could follow, with the address that it means.
const NOTATIONS: &[(&str, &str)] = &[
    ("127.0.0.1", "127.0.0.1"),
    ("127.0.0.1.", "127.0.0.1"),
    ("127.1", "127.0.0.1"),
    ("127.0.1", "127.0.0.1"),
    ("0x7f.1", "127.0.0.1"),
    ("0X7F.0x0.0x0.0x1", "127.0.0.1"),
    ("0x7f000001", "127.0.0.1"),
    ("2130706433", "127.0.0.1"),
    ("017700000001", "127.0.0.1"),
    ("0177.0.0.1", "127.0.0.1"),
    ("0177.0.0.01", "127.0.0.1"),
    ("%31%32%37.0.0.1", "127.0.0.1"),
    ("１２７.０.０.１", "127.0.0.1"),
    ("①②⑦.⓪.⓪.①", "127.0.0.1"),
    ("127。0。0。1", "127.0.0.1"),
    ("0", "0.0.0.0"),
    ("0x", "0.0.0.0"),
    ("0.0.0.0", "0.0.0.0"),
    ("169.254.169.254", "169.254.169.254"),
    ("2852039166", "169.254.169.254"),
    ("0xa9fea9fe", "169.254.169.254"),
    ("0251.0376.0251.0376", "169.254.169.254"),
    ("10.0.0.1", "10.0.0.1"),
    ("100.64.0.1", "100.64.0.1"),
    ("172.16.0.1", "172.16.0.1"),
    ("192.0.2.1", "192.0.2.1"),
    ("192.168.1.1", "192.168.1.1"),
    ("224.0.0.1", "224.0.0.1"),
    ("255.255.255.255", "255.255.255.255"),
    ("8.8.8.8", "8.8.8.8"),
    ("[::]", "::"),
    ("[::1]", "::1"),
    ("[0:0:0:0:0:0:0:1]", "::1"),
    ("[0000::0001]", "::1"),
    ("[::ffff:127.0.0.1]", "::ffff:7f00:1"),
    ("[::ffff:7f00:1]", "::ffff:7f00:1"),
    ("[0:0:0:0:0:FFFF:7F00:0001]", "::ffff:7f00:1"),
    ("[::ffff:a9fe:a9fe]", "::ffff:a9fe:a9fe"),
    ("[::127.0.0.1]", "::7f00:1"),
    ("[64:ff9b::7f00:1]", "64:ff9b::7f00:1"),
    ("[64:ff9b::169.254.169.254]", "64:ff9b::a9fe:a9fe"),
    ("[2002:7f00:1::]", "2002:7f00:1::"),
    ("[2001:0:4136:e378:8000:63bf:3fff:fdd2]", "2001:0:4136:e378:8000:63bf:3fff:fdd2"),
    ("[2001:db8::1]", "2001:db8::1"),
    ("[fd00:ec2::254]", "fd00:ec2::254"),
    ("[fe80::1]", "fe80::1"),
    ("[ff02::1]", "ff02::1"),
    ("[2606:4700:4700::1111]", "2606:4700:4700::1111"),
];

#[test]
fn an_address_is_no_host_however_it_is_written() {
    for (host, address) in NOTATIONS {
        let literal = InvalidUrl::Literal(address.parse().unwrap());
        assert_eq!(read(&format!("https://{host}/x"), ""), Err(literal.clone()), "{host}");
        assert_eq!(read(&format!("https://{host}:8443/x"), ""), Err(literal.clone()), "{host} with a port");
        assert_eq!(read(&format!("http://{host}/x"), ""), Err(literal), "{host} over http");
    }
}

#[test]
fn an_address_that_an_operator_allows_is_one() {
    let url = read("https://0x7f.1:9443/x", "127.0.0.0/8").unwrap();
    assert_eq!(url.as_str(), "https://127.0.0.1:9443/x");
    assert!(read("https://10.1.2.3/", "10.1.0.0/16").is_ok());
    assert_eq!(read("https://10.2.2.3/", "10.1.0.0/16"), Err(InvalidUrl::Literal("10.2.2.3".parse().unwrap())));
    assert!(read("https://[::ffff:127.0.0.1]/", "127.0.0.0/8").is_err(), "it leads there all the same");
}

#[test]
fn what_looks_like_an_address_and_is_none_is_no_host_either() {
    for host in [
        "256.256.256.256",
        "1.2.3.4.5",
        "0x7f.1.2.3.4",
        "4294967296",
        "127.0.0.0x1g.1",
        "[::1%25eth0]",
        "[::1",
        "[1.2.3.4]",
        "1..2",
    ] {
        assert!(matches!(read(&format!("https://{host}/"), "0.0.0.0/0,::/0"), Err(InvalidUrl::Syntax(_))), "{host}");
    }
}

#[test]
fn http_is_for_this_machine_and_only_with_leave() {
    for (url, allowed) in [
        ("http://127.0.0.1:8080/", "127.0.0.0/8"),
        ("http://127.8.9.1:8080/", "127.0.0.0/8"),
        ("http://[::1]:8080/", "::1"),
        ("http://localhost:8080/", "127.0.0.0/8"),
        ("http://LOCALHOST:8080/", "::1"),
    ] {
        assert!(read(url, allowed).is_ok(), "{url}");
    }
    for (url, allowed) in [
        ("http://hooks.example.com/", ""),
        ("http://hooks.example.com/", "0.0.0.0/0,::/0"),
        ("http://10.0.0.1/", "10.0.0.0/8"),
        ("http://localhost/", ""),
        ("http://localhost/", "10.0.0.0/8"),
        ("http://localhost./", "127.0.0.0/8"),
        ("http://a.localhost/", "127.0.0.0/8"),
    ] {
        assert_eq!(read(url, allowed), Err(InvalidUrl::PlainHttp), "{url}");
    }
}

#[test]
fn only_http_is_spoken_and_only_where_it_is() {
    for scheme in ["ftp", "file", "ws", "wss", "gopher", "javascript", "data", "unix"] {
        let refused = read(&format!("{scheme}://hooks.example.com/"), "").unwrap_err();
        assert_eq!(refused, InvalidUrl::Scheme(scheme.to_owned()));
    }
    for port in [0, 22, 25, 2375, 3306, 5432, 6379, 9200, 27017] {
        let refused = read(&format!("https://hooks.example.com:{port}/"), "").unwrap_err();
        assert!(matches!(refused, InvalidUrl::Port(refused, _) if refused == port), "{port}");
    }
    assert!(read("https://127.0.0.1:22/", "127.0.0.0/8").is_err(), "an allowed network opens no ports");
}

#[test]
fn nothing_is_in_a_url_but_the_place() {
    for url in
        ["https://user@example.com/", "https://:word@example.com/", "https://a:b@example.com/", "https://a%40b@x.y/"]
    {
        assert_eq!(read(url, ""), Err(InvalidUrl::Credentials), "{url}");
    }
    for url in ["https://example.com/#", "https://example.com/a#b", "https://example.com#b"] {
        assert_eq!(read(url, ""), Err(InvalidUrl::Fragment), "{url}");
    }
    for url in [
        " https://example.com/",
        "https://example.com/\n",
        "https://exa\tmple.com/",
        "https://example.com/a b",
        "https://a\0b/",
    ] {
        assert_eq!(read(url, ""), Err(InvalidUrl::Blanks), "{url:?}");
    }
    let (part, parts) = (format!("{}.example", "a".repeat(64)), format!("{}example", "a.".repeat(124)));
    for host in [
        "exa{mple.com",
        "exa'mple.com",
        "a,b.example",
        "a*b.example",
        "a..b",
        ".a",
        "a..",
        "-a.example",
        "a-.example",
        &part,
        &parts,
    ] {
        assert_eq!(read(&format!("https://{host}/"), ""), Err(InvalidUrl::Host(host.to_owned())));
    }
    for url in [
        "",
        "hooks.example.com",
        "//hooks.example.com/",
        "https://",
        "https:///",
        "https://?a",
        "https://exa<mple.com/",
    ] {
        assert!(read(url, "").is_err(), "{url:?}");
    }
}

#[test]
fn a_url_has_a_thousand_characters() {
    let long = |count: usize| format!("https://example.com/{}", "a".repeat(count - 20));
    assert_eq!(read(&long(1024), "").unwrap().as_str().len(), 1024);
    assert_eq!(read(&long(1025), ""), Err(InvalidUrl::Long));
    assert_eq!(read(&long(2000), ""), Err(InvalidUrl::Long));
    assert_eq!(read(&format!("https://example.com/{}", "ü".repeat(500)), ""), Err(InvalidUrl::Long), "as it is sent");
}

#[test]
fn the_usual_is_taken_and_written_in_one_way() {
    for (typed, sent) in [
        ("https://hooks.example.com", "https://hooks.example.com/"),
        ("HTTPS://Hooks.Example.COM:443/A?b=c", "https://hooks.example.com/A?b=c"),
        ("https://hooks.example.com:8443/a/../b", "https://hooks.example.com:8443/b"),
        ("https://bücher.example/", "https://xn--bcher-kva.example/"),
        ("https://hooks.example.com./x", "https://hooks.example.com./x"),
        ("https://a_b.example/", "https://a_b.example/"),
        ("https://receiver/hook", "https://receiver/hook"),
        ("https://localhost/", "https://localhost/"),
        ("https://printer.local/", "https://printer.local/"),
        ("https://metadata.google.internal/", "https://metadata.google.internal/"),
    ] {
        assert_eq!(read(typed, "").unwrap().as_str(), sent, "names are judged by where they lead");
    }
}

#[tokio::test]
async fn where_a_name_leads_decides() {
    let resolver = Resolver::new(&["127.0.0.1:9".parse().unwrap()]).unwrap();
    let check = async |url: &str, allowed: &str| {
        let allowed = allowed.parse().unwrap();
        check(&Url::parse(url).unwrap(), &resolver, &allowed).await
    };
    for host in ["localhost", "LOCALHOST", "localhost.", "anything.localhost"] {
        let refused = check(&format!("https://{host}/"), "").await.unwrap_err();
        let Unreachable::Refused { refused: Refused { why: "loopback", .. }, .. } = &refused else {
            panic!("{refused}")
        };
        assert!(!refused.to_string().contains("127.0.0.1"), "{refused}");
    }
    assert!(check("https://localhost/", "127.0.0.0/8").await.is_err(), "of its two addresses one is not allowed");
    assert_eq!(check("https://localhost/", "127.0.0.0/8,::1").await.unwrap().len(), 2);
    assert_eq!(check("https://127.0.0.1/", "127.0.0.0/8").await.unwrap().len(), 1);
    assert!(matches!(check("https://127.0.0.1/", "").await, Err(Unreachable::Refused { .. })));

    let nowhere = check("https://gone.invalid/", "").await;
    assert_eq!(nowhere, Err(Unreachable::Lookup(LookupError::NotFound("gone.invalid".to_owned()))));
    let endless = format!("https://{}.example/", "a".repeat(64));
    assert!(matches!(check(&endless, "").await, Err(Unreachable::Lookup(LookupError::NotAName(_)))));
}
