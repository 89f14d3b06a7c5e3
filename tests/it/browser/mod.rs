//! The pages in a real browser, as a maintainer, a host user and a visitor use them.

mod chromium;
mod site;

mod accessibility;
mod finding_a_failure;
mod injection;
mod numbers;
mod private_texts;
mod screenshots;
mod valid_html;
mod without_scripts;
