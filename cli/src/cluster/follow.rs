//! A LoadTest followed to its end: its status, and the progress of its dynos where their logs can
//! be read.

use futures::StreamExt;
use kube::runtime::{WatchStreamExt, watcher};
use redyno_contract::Event;
use redyno_contract::plan::DynoName;
use redyno_crds::{LoadTest, conditions};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::connection::{Connection, explained};
use super::{collected, logs, news};
use crate::precision::FullReports;
use crate::progress::{Course, Display, Second};

/// Seconds between progress lines of a dyno in a cluster.
const PROGRESS_SECONDS: u32 = 5;

/// A LoadTest that has ended, with what its dynos said on the way.
pub(super) struct Followed {
    pub(super) load_test: LoadTest,
    pub(super) full: FullReports,
}

impl From<LoadTest> for Followed {
    fn from(load_test: LoadTest) -> Self {
        Self {
            load_test,
            full: FullReports::new(),
        }
    }
}

/// Follows a LoadTest until it is finished.
pub(super) async fn follow(
    connection: &Connection,
    load_test: LoadTest,
    display: &mut Display,
) -> anyhow::Result<Followed> {
    let name = load_test.metadata.name.clone().unwrap_or_default();
    let uid = load_test.metadata.uid.clone().unwrap_or_default();
    let (sender, mut events) = mpsc::channel(1024);
    let mut dynos = Dynos {
        sender,
        attempted: false,
        followers: Vec::new(),
        course: None,
        full: FullReports::new(),
    };
    let mut current = load_test;
    show_news(None, &current, display);
    let mut updates =
        std::pin::pin!(watcher::watch_object(connection.load_tests(), &name).default_backoff());
    while !current.is_finished() {
        tokio::select! {
            update = updates.next() => match update {
                Some(Ok(Some(new))) if new.metadata.uid.as_ref() == Some(&uid) => {
                    show_news(Some(&current), &new, display);
                    current = new;
                    if has_dynos(&current) {
                        dynos.begin(connection, &uid, &name, display).await;
                    }
                }
                Some(Ok(_)) => anyhow::bail!("LoadTest {name} was deleted before it had ended"),
                Some(Err(error)) => give_up_if_hopeless(error, connection, &name)?,
                None => anyhow::bail!("LoadTest {name} can no longer be watched"),
            },
            Some((dyno, event)) = events.recv() => dynos.take(&dyno, event, display),
        }
    }
    // The dynos' last lines may still be on their way.
    drop(std::mem::replace(&mut dynos.sender, mpsc::channel(1).0));
    let rest = async {
        while let Some((dyno, event)) = events.recv().await {
            dynos.take(&dyno, event, display);
        }
    };
    drop(tokio::time::timeout(std::time::Duration::from_secs(3), rest).await);
    display.end();
    Ok(Followed {
        load_test: current,
        full: dynos.full,
    })
}

/// The watch mends itself, unless the user may not watch at all.
fn give_up_if_hopeless(
    error: watcher::Error,
    connection: &Connection,
    name: &str,
) -> anyhow::Result<()> {
    if let watcher::Error::InitialListFailed(error) | watcher::Error::WatchStartFailed(error) =
        error
        && matches!(&error, kube::Error::Api(status) if matches!(status.code, 401 | 403 | 404))
    {
        return Err(explained(&error, connection, name));
    }
    Ok(())
}

fn show_news(old: Option<&LoadTest>, new: &LoadTest, display: &mut Display) {
    if let Some(status) = &new.status {
        for line in news::news(old.and_then(|old| old.status.as_ref()), status) {
            display.say(&line);
        }
    }
}

fn has_dynos(load_test: &LoadTest) -> bool {
    load_test.status.as_ref().is_some_and(|status| {
        conditions::is_true(&status.conditions, conditions::DYNOS_READY)
            || conditions::is_true(&status.conditions, conditions::STARTED)
    })
}

/// The dynos' logs, once there are dynos.
struct Dynos {
    sender: mpsc::Sender<(DynoName, Option<Event>)>,
    attempted: bool,
    followers: Vec<AbortOnDropHandle<()>>,
    course: Option<Course>,
    full: FullReports,
}

impl Dynos {
    async fn begin(
        &mut self,
        connection: &Connection,
        uid: &str,
        name: &str,
        display: &mut Display,
    ) {
        if self.attempted {
            return;
        }
        self.attempted = true;
        let plan = collected::plan(connection, name).await;
        match (plan, logs::pods(connection, uid).await) {
            (Ok(plan), Ok(pods)) => {
                self.course = Some(Course::new(&plan, PROGRESS_SECONDS));
                for (dyno, pod) in pods {
                    let follower = logs::follow(connection, dyno, pod, self.sender.clone());
                    self.followers.push(follower);
                }
            }
            (Err(error), _) => display.say(&format!("No live numbers: {error:#}")),
            (_, Err(error)) => display.say(&format!(
                "No live numbers: {:#}",
                explained(&error, connection, name)
            )),
        }
    }

    fn take(&mut self, dyno: &DynoName, event: Option<Event>, display: &mut Display) {
        let Some(course) = &mut self.course else {
            return;
        };
        let lines: Vec<Second> = match event {
            Some(Event::Progress(progress)) => course.progress(dyno, &progress),
            Some(Event::Report { report }) => {
                self.full.insert(dyno.clone(), *report);
                Vec::new()
            }
            Some(
                Event::Listening { .. }
                | Event::Waiting { .. }
                | Event::Ready
                | Event::Started { .. },
            ) => Vec::new(),
            None => course.ended(dyno),
        };
        for line in &lines {
            display.second(line, course.length_seconds());
        }
    }
}
