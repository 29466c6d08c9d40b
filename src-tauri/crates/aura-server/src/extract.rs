//! Extractors for the query and the path that report errors as [`Problem`].

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use crate::Problem;

/// The query, deserialized.
pub(crate) struct InQuery<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for InQuery<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Query(value) =
            Query::<T>::from_request_parts(parts, state).await.map_err(|rejection: QueryRejection| {
                Problem::bad_request("The query of the URL is not valid.").because(rejection.body_text())
            })?;
        Ok(Self(value))
    }
}

/// The only parameter of the path.
pub(crate) struct InPath(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for InPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(value) =
            Path::<String>::from_request_parts(parts, state).await.map_err(|rejection: PathRejection| {
                Problem::bad_request("The path of the URL is not valid. Encode it as UTF-8 with percent signs.")
                    .because(rejection.body_text())
            })?;
        Ok(Self(value))
    }
}
