//! The interactive reference at `/api/v2/docs`: Scalar over our document, served by ourselves so that it works offline and
//! under a strict content security policy. Nothing on the page is loaded from elsewhere.

use std::io::Read as _;

use flate2::read::GzDecoder;
use salvo::handler;
use salvo::http::header::{self, HeaderValue};
use salvo::http::{ResBody, StatusCode};
use salvo::prelude::{Request, Response, Router};

use crate::problem::Problem;

/// Compressed, since almost every browser takes it so. See `vendor/README.md`.
static SCRIPT: &[u8] = include_bytes!("vendor/scalar-1.46.4.js.gz");
const SCRIPT_NAME: &str = "scalar-1.46.4.js";

/// Scalar writes its style sheet into the page, hence the inline styles; scripts come from here only.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                      font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const PAGE: &str = r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Plumbline API</title>
<link rel="icon" href="data:,">
</head>
<body>
<noscript>This page needs JavaScript; the document itself is at <a href="/api/v2/openapi.json">/api/v2/openapi.json</a>.</noscript>
<script id="api-reference" type="application/json" data-url="/api/v2/openapi.json"
 data-configuration='{"withDefaultFonts":false,"telemetry":false,"hideClientButton":true,"showDeveloperTools":"never","agent":{"disabled":true},"mcp":{"disabled":true}}'></script>
<script src="/api/v2/docs/scalar-1.46.4.js"></script>
</body>
</html>
"#;

pub(super) fn router() -> Router {
    Router::new()
        .push(Router::with_path("api/v2/docs").get(page).push(Router::with_path(SCRIPT_NAME).get(script)))
        .push(Router::with_path("docs").get(to_page))
}

/// Answers with another place.
pub(super) fn redirect(res: &mut Response, place: &'static str) {
    res.status_code(StatusCode::PERMANENT_REDIRECT);
    res.headers_mut().insert(header::LOCATION, HeaderValue::from_static(place));
}

#[handler]
fn to_page(res: &mut Response) {
    redirect(res, "/api/v2/docs");
}

#[handler]
fn page(res: &mut Response) {
    let headers = res.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    res.replace_body(ResBody::Once(PAGE.into()));
}

#[handler]
fn script(req: &Request, res: &mut Response) -> Result<(), Problem> {
    let headers = res.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/javascript; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    let takes_gzip = req
        .headers()
        .get_all(header::ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|coding| coding.split(';').next().is_some_and(|name| name.trim().eq_ignore_ascii_case("gzip")));
    if takes_gzip {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        res.replace_body(ResBody::Once(SCRIPT.into()));
    } else {
        res.replace_body(ResBody::Once(unpacked().map_err(Problem::internal)?.into()));
    }
    Ok(())
}

fn unpacked() -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    GzDecoder::new(SCRIPT).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    #[test]
    fn the_script_is_the_published_one() {
        assert_eq!(
            hex::encode(Sha256::digest(unpacked().unwrap())),
            "81b8d2bdab4a42ab81465386441b9a0f928b68631364360f00e8cce620cc1efb"
        );
        assert!(PAGE.contains(SCRIPT_NAME));
    }

    #[test]
    fn the_page_loads_nothing_from_elsewhere() {
        assert!(!PAGE.contains("http:") && !PAGE.contains("https:") && !PAGE.contains("//"));
    }
}
