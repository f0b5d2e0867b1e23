//! A proxy before moto that answers some calls as a bad day of AWS would.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::AbortOnDropHandle;

/// What a call is: read off its signature and body.
#[derive(Debug, Clone, Default)]
pub struct Call {
    /// The signing service: `ec2`, `sqs`, `s3`.
    pub service: String,
    /// The signing region.
    pub region: String,
    /// `DescribeVpcs`; empty for protocols that say it by path.
    pub action: String,
    /// The body, as text.
    pub body: String,
}

/// What to answer instead of asking moto.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// 403 with the service's code.
    Denied,
    /// 503 or 400 with the service's code.
    Throttled,
    /// 500 without a word.
    Broken,
    /// The connection ends without an answer.
    HangUp,
}

/// The proxy; ends when dropped.
pub struct Proxy {
    /// `http://127.0.0.1:port`.
    pub url: String,
    /// Calls that came, answered by whomever.
    pub calls: Arc<AtomicUsize>,
    _task: AbortOnDropHandle<()>,
}

/// Decides on each call.
type Decide = dyn Fn(&Call) -> Option<Fault> + Send + Sync;

impl Proxy {
    /// Listens and forwards to `upstream` (`http://host:port`) what `decide` lets pass.
    pub async fn start(upstream: &str, decide: impl Fn(&Call) -> Option<Fault> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let upstream: Arc<str> = upstream.trim_start_matches("http://").into();
        let decide: Arc<Decide> = Arc::new(decide);
        let calls = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&calls);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                counter.fetch_add(1, Ordering::Relaxed);
                // A connection that breaks is a client's or a test's doing; the test sees its effect.
                tokio::spawn(serve(client, Arc::clone(&upstream), Arc::clone(&decide)));
            }
        });
        Self { url, calls, _task: AbortOnDropHandle::new(task) }
    }
}

/// One connection, one call: every answer closes it.
async fn serve(mut client: TcpStream, upstream: Arc<str>, decide: Arc<Decide>) -> std::io::Result<()> {
    let Some((head, body)) = read_request(&mut client).await? else {
        return Ok(());
    };
    let call = call(&head, &body);
    match decide(&call) {
        Some(Fault::HangUp) => Ok(()),
        Some(fault) => client.write_all(answer(&call, fault).as_bytes()).await,
        None => {
            let mut server = TcpStream::connect(&*upstream).await?;
            // The answer's end is the connection's end.
            let head = head.replacen("\r\n", "\r\nConnection: close\r\n", 1);
            server.write_all(head.as_bytes()).await?;
            server.write_all(&body).await?;
            let mut reply = Vec::new();
            server.read_to_end(&mut reply).await?;
            let end = reply.windows(2).position(|pair| pair == b"\r\n").unwrap_or_default();
            client.write_all(&reply[..end]).await?;
            client.write_all(b"\r\nConnection: close").await?;
            client.write_all(&reply[end..]).await
        }
    }
}

/// Head (with its empty line) and body.
async fn read_request(client: &mut TcpStream) -> std::io::Result<Option<(String, Vec<u8>)>> {
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        if client.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
    };
    let mut body = bytes.split_off(head_end);
    let head = String::from_utf8_lossy(&bytes).into_owned();
    let length = header(&head, "content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    while body.len() < length {
        if client.read_buf(&mut body).await? == 0 {
            return Ok(None);
        }
    }
    Ok(Some((head, body)))
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim())
}

fn call(head: &str, body: &[u8]) -> Call {
    // Credential=AKID/20260101/us-east-1/ec2/aws4_request
    let scope =
        header(head, "authorization").and_then(|value| value.split_once("Credential=")).map_or("", |(_, rest)| rest);
    let mut scope = scope.split('/').skip(2);
    let (region, service) = (scope.next().unwrap_or_default(), scope.next().unwrap_or_default());
    let body = String::from_utf8_lossy(body);
    let query = body.split('&').find_map(|pair| pair.strip_prefix("Action="));
    let json = header(head, "x-amz-target").and_then(|target| target.rsplit('.').next());
    Call {
        service: service.to_owned(),
        region: region.to_owned(),
        action: query.or(json).unwrap_or_default().to_owned(),
        body: body.into_owned(),
    }
}

fn answer(call: &Call, fault: Fault) -> String {
    let is_ec2 = call.service == "ec2";
    let (status, code) = match fault {
        Fault::Denied if is_ec2 => ("403 Forbidden", "UnauthorizedOperation"),
        Fault::Denied => ("403 Forbidden", "AccessDenied"),
        Fault::Throttled if is_ec2 => ("503 Service Unavailable", "RequestLimitExceeded"),
        Fault::Throttled => ("400 Bad Request", "ThrottlingException"),
        Fault::Broken | Fault::HangUp => ("500 Internal Server Error", "InternalError"),
    };
    let xml = match call.service.as_str() {
        "ec2" => format!(
            "<Response><Errors><Error><Code>{code}</Code><Message>not today</Message></Error></Errors></Response>"
        ),
        "s3" => format!("<Error><Code>{code}</Code><Message>not today</Message></Error>"),
        _ => format!("<ErrorResponse><Error><Code>{code}</Code><Message>not today</Message></Error></ErrorResponse>"),
    };
    let json = format!(r#"{{"__type":"{code}","message":"not today"}}"#);
    let is_json = matches!(call.service.as_str(), "sqs" | "dynamodb" | "kms" | "logs" | "secretsmanager" | "lambda");
    let (content, body) = if is_json { ("application/x-amz-json-1.0", json) } else { ("text/xml", xml) };
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {content}\r\nx-amzn-ErrorType: {code}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}
