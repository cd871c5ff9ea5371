// SPDX-License-Identifier: Apache-2.0

/// An AXI4-Lite subordinate of 32-bit words: its five channels to a write and a read of one word,
/// each of which what is behind it may refuse; it refuses by itself a read that is not at a word's
/// address. A write takes one cycle, a read two.
module axil_words
  import bittrue_pkg::*;
(
  /// Clock.
  input  logic                          clk_i,
  /// Asynchronous reset, active low.
  input  logic                          rst_ni,
  /// Write address.
  input  logic [EngineAddressWidth-1:0] s_axil_awaddr,
  /// High while a write address is offered.
  input  logic                          s_axil_awvalid,
  /// High when it is taken.
  output logic                          s_axil_awready,
  /// Word to write.
  input  logic [31:0]                   s_axil_wdata,
  /// Bytes of it to write.
  input  logic [3:0]                    s_axil_wstrb,
  /// High while a word is offered.
  input  logic                          s_axil_wvalid,
  /// High when it is taken.
  output logic                          s_axil_wready,
  /// What became of a write: 0, or 2 for SLVERR.
  output logic [1:0]                    s_axil_bresp,
  /// High while that is offered.
  output logic                          s_axil_bvalid,
  /// High when it is taken.
  input  logic                          s_axil_bready,
  /// Read address.
  input  logic [EngineAddressWidth-1:0] s_axil_araddr,
  /// High while a read address is offered.
  input  logic                          s_axil_arvalid,
  /// High when it is taken.
  output logic                          s_axil_arready,
  /// Word read.
  output logic [31:0]                   s_axil_rdata,
  /// What became of a read: 0, or 2 for SLVERR.
  output logic [1:0]                    s_axil_rresp,
  /// High while a word is offered.
  output logic                          s_axil_rvalid,
  /// High when it is taken.
  input  logic                          s_axil_rready,
  /// High in the cycle of a write.
  output logic                          write_o,
  /// Its word's address.
  output logic [EngineAddressWidth-1:2] write_address_o,
  /// The word.
  output logic [31:0]                   write_data_o,
  /// High if it is one: all bytes are to be written, and the address is a multiple of four.
  output logic                          write_is_whole_o,
  /// Low to refuse it, in the same cycle.
  input  logic                          write_is_allowed_i,
  /// Address of a word to be read: for a memory that takes a cycle.
  output logic [EngineAddressWidth-1:2] next_read_address_o,
  /// That address in the cycle after.
  output logic [EngineAddressWidth-1:2] read_address_o,
  /// The word, in that cycle.
  input  logic [31:0]                   read_data_i,
  /// Low to refuse it, in that cycle.
  input  logic                          read_is_allowed_i
);

  logic bvalid_q, write_refused_q;
  logic reading_q, rvalid_q, read_refused_q;
  logic [31:0] rdata_q;
  logic [EngineAddressWidth-1:0] address_q;

  assign write_o = s_axil_awvalid & s_axil_wvalid & (~bvalid_q | s_axil_bready);
  assign write_address_o = s_axil_awaddr[EngineAddressWidth-1:2];
  assign write_data_o = s_axil_wdata;
  assign write_is_whole_o = &s_axil_wstrb & ~|s_axil_awaddr[1:0];
  assign s_axil_awready = write_o;
  assign s_axil_wready = write_o;
  assign s_axil_bvalid = bvalid_q;
  assign s_axil_bresp = {write_refused_q, 1'b0};

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      bvalid_q <= 1'b0;
      write_refused_q <= 1'b0;
    end else begin
      bvalid_q <= write_o | (bvalid_q & ~s_axil_bready);
      if (write_o) write_refused_q <= ~write_is_allowed_i;
    end
  end

  assign s_axil_arready = ~reading_q & ~rvalid_q;
  assign next_read_address_o = s_axil_araddr[EngineAddressWidth-1:2];
  assign read_address_o = address_q[EngineAddressWidth-1:2];
  assign s_axil_rvalid = rvalid_q;
  assign s_axil_rdata = rdata_q;
  assign s_axil_rresp = {read_refused_q, 1'b0};

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      reading_q <= 1'b0;
      rvalid_q <= 1'b0;
      read_refused_q <= 1'b0;
      rdata_q <= 32'd0;
      address_q <= EngineAddressWidth'(0);
    end else begin
      reading_q <= s_axil_arvalid & s_axil_arready;
      rvalid_q  <= reading_q | (rvalid_q & ~s_axil_rready);
      if (s_axil_arvalid & s_axil_arready) address_q <= s_axil_araddr;
      if (reading_q) begin
        rdata_q <= read_data_i;
        read_refused_q <= ~read_is_allowed_i | |address_q[1:0];
      end
    end
  end

endmodule
