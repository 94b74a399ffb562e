//! A building and its flats as JSON documents, in the shape in which the automap benchmark's data
//! model writes them.

use redyno_contract::plan::DynoName;
use redyno_target::keys::{BuildingKeys, flat_id};

/// A new flat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Flat {
    /// Its id, twelve hexadecimal digits.
    pub(crate) id: String,
    /// Its JSON document.
    pub(crate) document: String,
}

/// The building of one worker.
#[derive(Clone, Debug)]
pub(crate) struct Building {
    keys: BuildingKeys,
    seed: u64,
    dyno: DynoName,
    worker: u32,
}

impl Building {
    /// The building of `worker`, counted from 0, in the run with this uid.
    pub(crate) fn new(uid: &str, seed: u64, dyno: &DynoName, worker: u32) -> Self {
        Self {
            keys: BuildingKeys::new(uid, dyno, worker),
            seed,
            dyno: dyno.clone(),
            worker,
        }
    }

    /// The names of its keys.
    pub(crate) const fn keys(&self) -> &BuildingKeys {
        &self.keys
    }

    /// Its own document. Visitors and the building's mail are described but never written.
    pub(crate) fn document(&self) -> String {
        let id = self.keys.id();
        format!(
            concat!(
                r#"{{"id":"{id}","#,
                r#""flats":"building:{id}:flats {{\"type\":\"hash\"}}","#,
                r#""visitors":"building:{id}:visitors {{\"type\":\"hash\",\"lazy\":true}}","#,
                r#""mail":"building:{id}:mail {{\"type\":\"list\",\"lazy\":true,\"append\":true}}"}}"#,
            ),
            id = id
        )
    }

    /// A new flat at a position, counted from 0.
    pub(crate) fn flat(&self, position: u32) -> Flat {
        let id = self.keys.id();
        let flat = flat_id(self.seed, &self.dyno, self.worker, position);
        let document = format!(
            concat!(
                r#"{{"i":{position},"json":{{"id":"{flat}","bedrooms":2,"#,
                r#""mail":"building:{id}:flats:{flat}:mail {{\"type\":\"list\",\"lazy\":true,\"append\":true}}","#,
                r#""visitors":"building:{id}:flats:{flat}:visitors {{\"type\":\"hash\",\"lazy\":true}}"}}}}"#,
            ),
            position = position,
            flat = flat,
            id = id
        );
        Flat { id: flat, document }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn building() -> Building {
        let dyno = DynoName {
            dyno_type: "web".to_owned(),
            index: 0,
        };
        Building::new("0d3b9c1e-3c44", 1, &dyno, 4)
    }

    #[test]
    fn a_building_has_the_shape_of_the_benchmark() {
        // As recorded on the wire, with the id replaced.
        let recorded = r#"{"id":"11512","flats":"building:11512:flats {\"type\":\"hash\"}","visitors":"building:11512:visitors {\"type\":\"hash\",\"lazy\":true}","mail":"building:11512:mail {\"type\":\"list\",\"lazy\":true,\"append\":true}"}"#;
        assert_eq!(
            building().document(),
            recorded.replace("11512", "0d3b9c1e:web.1:4")
        );
    }

    #[test]
    fn a_flat_has_the_shape_of_the_benchmark() {
        let recorded = r#"{"i":1,"json":{"id":"9bddcc8a8ea1","bedrooms":2,"mail":"building:11512:flats:9bddcc8a8ea1:mail {\"type\":\"list\",\"lazy\":true,\"append\":true}","visitors":"building:11512:flats:9bddcc8a8ea1:visitors {\"type\":\"hash\",\"lazy\":true}"}}"#;
        let flat = building().flat(1);
        assert_eq!(
            flat.document,
            recorded
                .replace("9bddcc8a8ea1", &flat.id)
                .replace("11512", "0d3b9c1e:web.1:4")
        );
    }
}
