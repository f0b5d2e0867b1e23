//! A name server, over UDP and TCP, whose answers a test chooses. Nothing may be kept of them: their TTL is 0.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use hickory_proto::op::{Message, OpCode, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, CNAME};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use jobs::lookup::Resolver;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinSet;

/// What is answered to a question for the addresses of a name, of one family.
#[derive(Debug, Clone)]
pub enum Reply {
    /// These; of none, that there are none.
    Addresses(Vec<IpAddr>),
    /// The same, but over UDP only that it does not fit.
    TooLongForUdp(Vec<IpAddr>),
    /// That it is another name's alias, without that name's addresses.
    Alias(&'static str),
    /// An error.
    Code(ResponseCode),
    /// Nothing.
    Silence,
}

/// Both families of addresses.
pub const FAMILIES: [RecordType; 2] = [RecordType::A, RecordType::AAAA];

/// What is answered, one after the other; the last for good.
type Replies = VecDeque<Reply>;

#[derive(Debug, Default)]
struct Zone {
    replies: HashMap<(String, RecordType), Replies>,
    asked: Vec<String>,
}

/// A name server that ends with the test. Names that it was not told of do not exist.
pub struct Dns {
    pub address: SocketAddr,
    zone: Arc<Mutex<Zone>>,
    _tasks: JoinSet<()>,
}

impl Dns {
    pub async fn start() -> Self {
        let (udp, tcp) = sockets().await;
        let (address, zone) = (udp.local_addr().unwrap(), Arc::default());
        let mut tasks = JoinSet::new();
        tasks.spawn(answer_udp(udp, Arc::clone(&zone)));
        tasks.spawn(answer_tcp(tcp, Arc::clone(&zone)));
        Self { address, zone, _tasks: tasks }
    }

    /// A resolver that asks this server alone.
    pub fn resolver(&self) -> Resolver {
        Resolver::new(&[self.address]).unwrap()
    }

    /// From now on, these are the addresses of a name.
    pub fn set(&self, name: &str, addresses: &[&str]) {
        let addresses: Vec<IpAddr> = addresses.iter().map(|address| address.parse().unwrap()).collect();
        for family in FAMILIES {
            let of_family = addresses.iter().copied().filter(|ip| ip.is_ipv4() == (family == RecordType::A)).collect();
            self.reply(name, family, [Reply::Addresses(of_family)]);
        }
    }

    /// From now on, this is answered for both families of a name.
    pub fn set_both(&self, name: &str, reply: &Reply) {
        for family in FAMILIES {
            self.reply(name, family, [reply.clone()]);
        }
    }

    /// From now on, these are answered for one family of a name, one after the other.
    pub fn reply(&self, name: &str, family: RecordType, replies: impl IntoIterator<Item = Reply>) {
        let key = (name.to_owned(), family);
        self.zone.lock().unwrap().replies.insert(key, replies.into_iter().collect());
    }

    /// How often a name was asked for, both families together.
    pub fn asked(&self, name: &str) -> usize {
        self.zone.lock().unwrap().asked.iter().filter(|asked| *asked == name).count()
    }
}

/// A UDP and a TCP socket of the same port.
async fn sockets() -> (UdpSocket, TcpListener) {
    loop {
        let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        // The port may be taken for TCP.
        if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()).await {
            return (udp, tcp);
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Transport {
    Udp,
    Tcp,
}

async fn answer_udp(socket: UdpSocket, zone: Arc<Mutex<Zone>>) {
    let mut buffer = [0; 4096];
    loop {
        let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
        if let Some(answer) = answer(&buffer[..length], &zone, Transport::Udp) {
            socket.send_to(&answer, from).await.unwrap();
        }
    }
}

async fn answer_tcp(listener: TcpListener, zone: Arc<Mutex<Zone>>) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        connections.spawn(converse(stream, Arc::clone(&zone)));
    }
}

/// Answers what comes over one connection, until it ends: messages with their length before them.
async fn converse(mut stream: TcpStream, zone: Arc<Mutex<Zone>>) {
    while let Ok(length) = stream.read_u16().await {
        let mut question = vec![0; length.into()];
        stream.read_exact(&mut question).await.unwrap();
        if let Some(answer) = answer(&question, &zone, Transport::Tcp) {
            stream.write_u16(answer.len().try_into().unwrap()).await.unwrap();
            stream.write_all(&answer).await.unwrap();
        }
    }
}

fn answer(question: &[u8], zone: &Mutex<Zone>, transport: Transport) -> Option<Vec<u8>> {
    let question = Message::from_vec(question).unwrap();
    let query = question.queries.first().unwrap().clone();
    let name = query.name().to_lowercase().to_ascii().trim_end_matches('.').to_owned();
    let mut zone = zone.lock().unwrap();
    zone.asked.push(name.clone());
    let reply = match zone.replies.get_mut(&(name, query.query_type())) {
        None => Reply::Code(ResponseCode::NXDomain),
        Some(replies) if replies.len() > 1 => replies.pop_front().unwrap(),
        Some(replies) => replies.front().unwrap().clone(),
    };
    let mut answer = Message::response(question.metadata.id, OpCode::Query);
    answer.add_query(query.clone());
    answer.metadata.recursion_available = true;
    let record = |data| Record::from_rdata(query.name().clone(), 0, data);
    let address = |address| match address {
        IpAddr::V4(v4) => record(RData::A(A(v4))),
        IpAddr::V6(v6) => record(RData::AAAA(AAAA(v6))),
    };
    match reply {
        Reply::Silence => return None,
        Reply::Code(code) => answer.metadata.response_code = code,
        Reply::TooLongForUdp(_) if transport == Transport::Udp => answer.metadata.truncation = true,
        Reply::Addresses(addresses) | Reply::TooLongForUdp(addresses) => {
            answer.add_answers(addresses.into_iter().map(address));
        }
        Reply::Alias(target) => {
            answer.add_answer(record(RData::CNAME(CNAME(Name::from_ascii(format!("{target}.")).unwrap()))));
        }
    }
    Some(answer.to_vec().unwrap())
}
