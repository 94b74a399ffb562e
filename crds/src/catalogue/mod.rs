//! Sizes of dynos and plans of Redis by name: the built-in ones and an administrator's.

mod additions;
mod entries;
mod plans;
mod sizes;

pub use additions::InvalidCatalogue;
pub use entries::{RedisPlan, Size};

/// Every size and plan that a LoadTest may name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Catalogue {
    sizes: Vec<Size>,
    plans: Vec<RedisPlan>,
}

impl Catalogue {
    /// The sizes and plans that redyno brings.
    pub fn built_in() -> Self {
        Self {
            sizes: sizes::built_in(),
            plans: plans::built_in(),
        }
    }

    /// The built-in ones and an administrator's, given as JSON:
    ///
    /// ```json
    /// {
    ///   "sizes": [{"name": "small", "cpu": "500m", "cpuLimit": "1", "memory": "512Mi",
    ///              "processLimit": 256, "workers": 2}],
    ///   "plans": [{"name": "tiny", "cpu": "1", "memory": "100Mi", "connections": 50}]
    /// }
    /// ```
    ///
    /// `cpuLimit` (default `cpu`) and `processLimit` (default none) may be left out, as may either
    /// list. A name of the built-in catalogue replaces that entry.
    ///
    /// # Errors
    /// [`InvalidCatalogue`] names the entry and what would be right.
    pub fn with_additions(json: &str) -> Result<Self, InvalidCatalogue> {
        let (sizes, plans) = additions::read(json)?;
        let mut catalogue = Self::built_in();
        for size in sizes {
            match catalogue.sizes.iter_mut().find(|old| old.name == size.name) {
                Some(old) => *old = size,
                None => catalogue.sizes.push(size),
            }
        }
        for plan in plans {
            match catalogue.plans.iter_mut().find(|old| old.name == plan.name) {
                Some(old) => *old = plan,
                None => catalogue.plans.push(plan),
            }
        }
        Ok(catalogue)
    }

    /// The size of this name.
    pub fn size(&self, name: &str) -> Option<&Size> {
        self.sizes.iter().find(|size| size.name == name)
    }

    /// The plan of this name.
    pub fn plan(&self, name: &str) -> Option<&RedisPlan> {
        self.plans.iter().find(|plan| plan.name == name)
    }

    /// Every size, in the order of the catalogue.
    pub fn sizes(&self) -> &[Size] {
        &self.sizes
    }

    /// Every plan, in the order of the catalogue.
    pub fn plans(&self) -> &[RedisPlan] {
        &self.plans
    }

    /// Names of all sizes, in the order of the catalogue.
    pub fn size_names(&self) -> Vec<&str> {
        self.sizes.iter().map(|size| size.name.as_str()).collect()
    }

    /// Names of all plans, in the order of the catalogue.
    pub fn plan_names(&self) -> Vec<&str> {
        self.plans.iter().map(|plan| plan.name.as_str()).collect()
    }
}

#[cfg(test)]
mod tests;
