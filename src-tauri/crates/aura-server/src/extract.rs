//! What a request says in its query and its path; what cannot be read is told in the door's own form.

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use crate::Problem;

/// The query.
pub(crate) struct InQuery<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for InQuery<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Query(value) = Query::<T>::from_request_parts(parts, state).await.map_err(|refused: QueryRejection| {
            Problem::bad("The query of this address cannot be read.").because(refused.body_text())
        })?;
        Ok(Self(value))
    }
}

/// The part of the path that is open.
pub(crate) struct InPath(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for InPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(value) =
            Path::<String>::from_request_parts(parts, state).await.map_err(|refused: PathRejection| {
                Problem::bad("The path of this address cannot be read.").because(refused.body_text())
            })?;
        Ok(Self(value))
    }
}
