//! A visitor of the web page: sends forms, keeps a cookie, and follows no redirect.

use reqwest::{Client, RequestBuilder, Response, StatusCode};

use super::app::TestApp;

pub(crate) struct Visitor {
    client: Client,
    url: String,
    /// The `Cookie` header.
    pub(crate) cookie: Option<String>,
}

impl Visitor {
    pub(crate) fn of(app: &TestApp) -> Self {
        let client = Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
        Self { client: client.build().expect("a client"), url: app.url.clone(), cookie: None }
    }

    /// A visitor who has signed in with a token.
    pub(crate) async fn signed_in(app: &TestApp, token: &str) -> Self {
        let mut visitor = Self::of(app);
        let response = visitor.post("/sign-in", &[("token", token)]).await;
        assert_eq!(response.status(), StatusCode::SEE_OTHER);
        let cookie = response.headers()["set-cookie"].to_str().expect("a text");
        visitor.cookie = cookie.split(';').next().map(str::to_owned);
        visitor
    }

    /// A request with the cookie, as a browser sends it.
    fn send(&self, request: RequestBuilder) -> RequestBuilder {
        let request = request.header("accept", "text/html");
        self.cookie.iter().fold(request, |request, cookie| request.header("cookie", cookie))
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        let request = self.client.get(format!("{}{path}", self.url));
        self.send(request).send().await.expect("an answer")
    }

    /// A page that answers with 200.
    pub(crate) async fn page(&self, path: &str) -> String {
        let response = self.get(path).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        assert_eq!(response.headers()["content-type"], "text/html; charset=utf-8", "{path}");
        response.text().await.expect("a text")
    }

    /// Sends a form.
    pub(crate) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Response {
        self.post_with(path, fields, &[]).await
    }

    /// Sends a form with more headers.
    pub(crate) async fn post_with(
        &self,
        path: &str,
        fields: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> Response {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = self.client.post(format!("{}{path}", self.url)).body(body);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        self.send(request).send().await.expect("an answer")
    }
}
