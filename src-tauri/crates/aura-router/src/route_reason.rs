//! Why a route comes first: typed, and in a sentence.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::settings::RoutePreference;

/// Why a route comes first where the user named no provider: how it compares with the next one. Displayed as a sentence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct RouteReason {
    /// What is compared.
    pub by: RoutePreference,
    /// The first route.
    pub first: RouteStanding,
    /// The next one.
    pub second: RouteStanding,
}

/// What a route is ranked by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct RouteStanding {
    /// ID of the provider.
    pub provider: String,
    /// ID of the model.
    pub model: String,
    /// Median latency in milliseconds; absent when it is not measured yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub ms: Option<u32>,
    /// Calls that the latency was measured over.
    pub calls: u32,
    /// The model's quality, 1 to 5.
    pub quality: u8,
    /// US dollars for a typical request; absent when the price is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub usd: Option<f64>,
}

impl RouteStanding {
    fn latency(&self) -> String {
        match self.ms {
            None => "not measured yet".to_owned(),
            Some(ms) => format!("median {ms} ms over {} calls", self.calls),
        }
    }

    fn quality(&self) -> String {
        format!("quality {} of 5", self.quality)
    }

    fn price(&self) -> String {
        self.usd.map_or_else(|| "price unknown".to_owned(), |usd| format!("about ${usd:.5} per request"))
    }

    fn all(&self) -> String {
        [self.latency(), self.quality(), self.price()].join(", ")
    }
}

impl fmt::Display for RouteReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { by, first, second } = self;
        let (best, of): (String, fn(&RouteStanding) -> String) = match by {
            RoutePreference::Speed => ("is the fastest".into(), RouteStanding::latency),
            RoutePreference::Quality => {
                (format!("has the most capable model, {}", first.model), RouteStanding::quality)
            }
            RoutePreference::Cost => ("is the cheapest".into(), RouteStanding::price),
            RoutePreference::Balanced | RoutePreference::Order => {
                ("ranks best over speed, quality and cost".into(), RouteStanding::all)
            }
        };
        write!(f, "{} {best}: {}; {}: {}.", first.provider, of(first), second.provider, of(second))
    }
}
