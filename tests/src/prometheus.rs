//! The Prometheus in the cluster, which `tests/cluster/monitoring` defines: started for the test
//! that asks it, and asked through the API server.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use serde::Deserialize;
use serde_json::Value;

use crate::command::{Outcome, eventually, kubectl};

/// Its namespace.
pub const NAMESPACE: &str = "redyno-monitoring";

/// A running Prometheus; it ends with this.
#[derive(Debug)]
pub struct Prometheus {
    proxy: Child,
    address: String,
}

/// A time series of an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Its labels, its name among them.
    pub labels: BTreeMap<String, String>,
    /// Times, in seconds since 1970, and values: one for a query at one time.
    pub points: Vec<(f64, f64)>,
}

/// A rule, and whether it can be evaluated.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rule {
    /// Its name: an alert's.
    pub name: String,
    /// ok, err or unknown.
    pub health: String,
    /// What was wrong the last time.
    pub last_error: Option<String>,
}

#[derive(Deserialize)]
#[serde(tag = "resultType", content = "result", rename_all = "lowercase")]
enum Answer {
    Vector(Vec<Instant>),
    Matrix(Vec<Range>),
    Scalar(Point),
    String(Point),
}

#[derive(Deserialize)]
struct Instant {
    metric: BTreeMap<String, String>,
    value: Point,
}

#[derive(Deserialize)]
struct Range {
    metric: BTreeMap<String, String>,
    values: Vec<Point>,
}

type Point = (f64, String);

impl Prometheus {
    /// Starts it, and waits until it answers.
    ///
    /// # Panics
    /// If it does not.
    #[track_caller]
    pub fn start() -> Self {
        scale(1).expect_success("starting Prometheus");
        let mut proxy = Command::new("kubectl")
            .args(["proxy", "--port=0"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("kubectl starts");
        let mut line = String::new();
        BufReader::new(proxy.stdout.take().expect("its output is piped"))
            .read_line(&mut line)
            .expect("kubectl proxy says where it is");
        let address = line
            .trim()
            .rsplit(' ')
            .next()
            .unwrap_or_default()
            .to_owned();
        let prometheus = Self { proxy, address };
        eventually("Prometheus answers", 60, || {
            prometheus.query("1", None).ok()
        });
        prometheus
    }

    /// The answer to an expression, at a time or now.
    ///
    /// # Errors
    /// If Prometheus says that it is wrong.
    pub fn query(&self, expression: &str, time: Option<f64>) -> Result<Vec<Series>, String> {
        let mut path = format!("query?query={}", encoded(expression));
        if let Some(time) = time {
            write!(path, "&time={time}").expect("a String takes any text");
        }
        self.ask(&path)
    }

    /// The answers to an expression from one time to another, at every second.
    ///
    /// # Errors
    /// If Prometheus says that it is wrong.
    pub fn query_range(&self, expression: &str, from: f64, to: f64) -> Result<Vec<Series>, String> {
        self.ask(&format!(
            "query_range?query={}&start={from}&end={to}&step=1",
            encoded(expression)
        ))
    }

    /// The one value of an expression now.
    ///
    /// # Panics
    /// If there is none, or more than one.
    #[track_caller]
    pub fn value(&self, expression: &str) -> f64 {
        match self.query(expression, None).as_deref() {
            Ok([Series { points, .. }]) if points.len() == 1 => points[0].1,
            other => panic!("{expression}: one value was expected, not {other:?}"),
        }
    }

    /// All rules that it evaluates.
    ///
    /// # Panics
    /// If it does not say.
    #[track_caller]
    pub fn rules(&self) -> Vec<Rule> {
        #[derive(Deserialize)]
        struct Groups {
            groups: Vec<Group>,
        }
        #[derive(Deserialize)]
        struct Group {
            rules: Vec<Rule>,
        }
        let data = self.data("rules").expect("Prometheus tells its rules");
        let Groups { groups } = Groups::deserialize(data).expect("groups of rules");
        groups.into_iter().flat_map(|group| group.rules).collect()
    }

    fn ask(&self, path: &str) -> Result<Vec<Series>, String> {
        let data = self.data(path)?;
        let answer = Answer::deserialize(&data).map_err(|error| format!("{error}: {data}"))?;
        Ok(series(answer))
    }

    /// The field `data` of an answer of Prometheus.
    fn data(&self, path: &str) -> Result<Value, String> {
        // The pod itself: the operator has Kubernetes look only every 15 s whether it is ready.
        let pod = format!("/api/v1/namespaces/{NAMESPACE}/pods/prometheus-redyno-0:9090/proxy");
        let text = self.get(&format!("{pod}/api/v1/{path}"));
        let mut answer: Value =
            serde_json::from_str(&text).map_err(|error| format!("{error}: {text}"))?;
        if answer["status"] != "success" {
            return Err(text);
        }
        Ok(answer["data"].take())
    }

    /// What the API server answers for a path.
    fn get(&self, path: &str) -> String {
        // Of HTTP 1.0, so that the answer is in one piece and ends with the connection.
        let request = format!("GET {path} HTTP/1.0\r\nHost: {}\r\n\r\n", self.address);
        let mut answer = String::new();
        let mut stream = TcpStream::connect(&self.address).expect("kubectl proxy listens");
        stream
            .write_all(request.as_bytes())
            .expect("kubectl proxy reads");
        stream
            .read_to_string(&mut answer)
            .expect("kubectl proxy answers");
        let (_head, body) = answer.split_once("\r\n\r\n").expect("an answer of HTTP");
        body.to_owned()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        drop(self.proxy.kill());
        drop(self.proxy.wait());
        scale(0);
    }
}

#[track_caller]
fn scale(replicas: u32) -> Outcome {
    // Its subresource `scale` is about shards.
    let patch = format!("--patch={{\"spec\": {{\"replicas\": {replicas}}}}}");
    kubectl(&[
        "--namespace",
        NAMESPACE,
        "patch",
        "prometheus/redyno",
        "--type=merge",
        &patch,
    ])
}

fn series(answer: Answer) -> Vec<Series> {
    let points = |points: Vec<Point>| {
        points
            .into_iter()
            .map(|(time, value)| (time, value.parse().unwrap_or(f64::NAN)))
            .collect()
    };
    match answer {
        Answer::Vector(found) => found
            .into_iter()
            .map(|Instant { metric, value }| Series {
                labels: metric,
                points: points(vec![value]),
            })
            .collect(),
        Answer::Matrix(found) => found
            .into_iter()
            .map(|Range { metric, values }| Series {
                labels: metric,
                points: points(values),
            })
            .collect(),
        Answer::Scalar(point) | Answer::String(point) => {
            vec![Series {
                labels: BTreeMap::new(),
                points: points(vec![point]),
            }]
        }
    }
}

/// A text as part of a URL's query.
fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").expect("a String takes any text");
        }
        encoded
    })
}
