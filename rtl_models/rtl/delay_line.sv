// SPDX-License-Identifier: Apache-2.0

/// A shift register that moves only while enabled: one register stage per cycle of delay, none for
/// 0.
///
/// All stages reset to 0, so that a valid bit in it starts low.
module delay_line #(
  /// Bits of a word.
  parameter int unsigned Width = 1,
  /// Register stages, 0 for a wire.
  parameter int unsigned Stages = 1
) (
  /// Clock.
  input  logic             clk_i,
  /// Asynchronous reset, active low.
  input  logic             rst_ni,
  /// High to move on by one stage.
  input  logic             enable_i,
  /// Word that enters.
  input  logic [Width-1:0] data_i,
  /// Word that entered `Stages` enabled cycles ago.
  output logic [Width-1:0] data_o
);

  if (Width < 1) $error("delay_line Width: got %0d; allowed: at least 1", Width);

  if (Stages == 0) begin : gen_wire
    assign data_o = data_i;

    logic unused;
    assign unused = ^{clk_i, rst_ni, enable_i};
  end else begin : gen_registers
    logic [Stages*Width-1:0] stages_q;
    logic [(Stages+1)*Width-1:0] stages_d;

    // The newest word lies lowest.
    assign stages_d = {stages_q, data_i};
    assign data_o = stages_q[(Stages-1)*Width+:Width];

    always_ff @(posedge clk_i or negedge rst_ni) begin
      if (!rst_ni) begin
        stages_q <= (Stages * Width)'(0);
      end else if (enable_i) begin
        stages_q <= stages_d[Stages*Width-1:0];
      end
    end

    logic unused;
    assign unused = ^stages_d[Stages*Width+:Width];
  end

endmodule
