// SPDX-License-Identifier: Apache-2.0

/// A memory of beats with one write and one read port: a write changes the parts of a beat that its
/// mask names, a read shows a cycle later what was there before.
module beat_memory
  import bittrue_pkg::*;
#(
  /// Bits of a beat.
  parameter int unsigned Width = 128,
  /// Beats.
  parameter int unsigned Depth = 64,
  /// Bits of a part; the last may be narrower.
  parameter int unsigned PartWidth = 32,
  /// Dependent, do not change: bits of an address, and number of parts.
  localparam int unsigned AddressWidth = index_width(Depth),
  localparam int unsigned Parts = (Width + PartWidth - 1) / PartWidth
) (
  /// Clock.
  input  logic                    clk_i,
  /// High for the parts to write.
  input  logic [Parts-1:0]        write_i,
  /// Beat to write.
  input  logic [AddressWidth-1:0] write_address_i,
  /// What to write.
  input  logic [Width-1:0]        write_data_i,
  /// Beat to read.
  input  logic [AddressWidth-1:0] read_address_i,
  /// The beat that was addressed a cycle ago; it has no reset.
  output logic [Width-1:0]        read_data_o
);

  if (PartWidth < 1 || PartWidth > Width) begin : gen_refuse_part_width
    $error("beat_memory PartWidth: got %0d; allowed: 1 to Width", PartWidth);
  end

  for (genvar k = 0; k < Parts; k++) begin : gen_part
    localparam int unsigned Low = k * PartWidth;
    localparam int unsigned Bits = Width - Low < PartWidth ? Width - Low : PartWidth;

    logic [Bits-1:0] memory_q[Depth];

    always_ff @(posedge clk_i) begin
      if (write_i[k]) memory_q[write_address_i] <= write_data_i[Low+:Bits];
      read_data_o[Low+:Bits] <= memory_q[read_address_i];
    end
  end

endmodule
