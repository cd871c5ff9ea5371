// SPDX-License-Identifier: Apache-2.0

/// The control of a pipeline between two AXI4-Streams, of which all stages move at once.
///
/// A valid bit goes along with every beat; while the last one waits, everything waits. A beat that
/// uses a random word does so `StagesToRandom` stages in: the generator advances in that cycle, so
/// that stalls do not move its stream.
module stream_control #(
  /// Register stages of the pipeline, at least 1.
  parameter int unsigned Stages = 4,
  /// Those in front of the use of a random word, below Stages.
  parameter int unsigned StagesToRandom = 2,
  /// Whether beats use random words.
  parameter bit UsesRandom = 1'b1
) (
  /// Clock.
  input  logic clk_i,
  /// Asynchronous reset, active low: beats under way are dropped.
  input  logic rst_ni,
  /// High while a beat is offered.
  input  logic valid_i,
  /// High when a beat is taken, if one is offered, and all stages move.
  output logic enable_o,
  /// High when a beat uses its random word.
  output logic random_next_o,
  /// High while a result is offered.
  output logic valid_o,
  /// High when a result is taken.
  input  logic ready_i
);

  logic valid_q;

  assign enable_o = ~valid_o | ready_i;
  assign random_next_o = UsesRandom & enable_o & valid_q;

  delay_line #(
    .Stages(StagesToRandom)
  ) u_early (
    .clk_i,
    .rst_ni,
    .enable_i(enable_o),
    .data_i  (valid_i),
    .data_o  (valid_q)
  );

  delay_line #(
    .Stages(Stages - StagesToRandom)
  ) u_late (
    .clk_i,
    .rst_ni,
    .enable_i(enable_o),
    .data_i  (valid_q),
    .data_o  (valid_o)
  );

endmodule
