//! Whole tasks by voice: AURA acts in real programs on a private desktop, each action is consented to aloud, and what came of it is looked
//! up in those programs, their files, the clipboard and the sound server. Each test prints a table of its tasks to standard error.

mod computer;
mod desk;
mod programs;
mod writing;
